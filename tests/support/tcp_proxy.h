// Stands between a client and a server on the loopback and loses, on command, what one of them says.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace mapflow::testing {

/// Thread safety: every call from any thread.
class TcpProxy {
 public:
  explicit TcpProxy(std::uint16_t server_port);
  ~TcpProxy();

  std::uint16_t port() const { return port_; }

  /// From now on what clients say is kept back, or what the server answers is lost.
  void hold_requests(bool on);
  void drop_answers(bool on);
  /// Waits until something was kept back; fails the test when nothing comes.
  void wait_for_held();
  /// Ends every connection for its client. The server's side stays, with what was kept back of it.
  void cut_clients();
  /// Gives the server what was kept back of connections that are cut, and waits for its answer.
  void deliver_held();

 private:
  struct Link {
    int client = -1, server = -1;
    std::string held;
    bool answered_late = false;
  };
  void run();
  void accept_client();
  void from_client(Link& link);
  void from_server(Link& link);
  void wake();

  const std::uint16_t server_port_;
  int listener_ = -1, wake_ = -1;
  std::uint16_t port_ = 0;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::unique_ptr<Link>> links_;
  bool hold_ = false, drop_ = false, stopping_ = false;
  std::thread thread_;
};

}  // namespace mapflow::testing
