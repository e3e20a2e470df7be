// What every store on a server must do beyond the contract: when that server is killed or cut off, and when several
// programs come to it at once. A Server is one of tests/support.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <thread>

#include "persistence/helpers.h"
#include "persistence/store.h"
#include "support/tcp_proxy.h"

namespace mapflow::persistence::testing {

std::unique_ptr<Store> open_or_fail(const std::string& url);

/// Opening the URL fails like that, saying so, and without showing the tests' passwords.
void check_refused(const std::string& url, std::string_view error, std::string_view said);

template <class Condition>
void wait_until(const Condition& holds) {
  const auto deadline = std::chrono::steady_clock::now() + 60s;
  while (!holds() && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
  REQUIRE(holds());
}

/// A store behind a proxy, and what is in it as seen past the proxy.
struct Proxied {
  template <class Server>
  Proxied(const Server& server, const std::string& options)
      : proxy(server.port()), store(open_or_fail(server.url_through(proxy.port(), options))), direct(open_or_fail(server.url(options))) {}

  mapflow::testing::TcpProxy proxy;
  std::unique_ptr<Store> store, direct;

  void wait_for_log(std::size_t entries) {
    wait_until([&] { return log_texts(*direct, Partition(0)).size() >= entries; });
  }
};

void check_lost_answer(Proxied at);
void check_late_request(Proxied at);
void check_taken_meanwhile(Proxied at);

/// Commits until told to stop, acquiring the partition anew whenever that is needed, and knows what was acknowledged.
class RestlessOwner {
 public:
  explicit RestlessOwner(Store& store);
  void wait_for_more(std::size_t commits);
  /// Stops, and checks that everything acknowledged is there, once.
  void check_kept();

 private:
  void run();
  Store& store_;
  std::set<std::string> kept_;  ///< the thread's, until it has stopped
  std::atomic<std::size_t> acknowledged_ = 0;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

template <class Server>
void check_killed_server(Server& server) {
  const auto store = open_or_fail(server.url());
  CHECK(store->durable());
  RestlessOwner owner(*store);
  for (std::size_t round = 0; round < 5; ++round) {
    owner.wait_for_more(40 + 7 * round);
    server.kill();
    server.start();
  }
  owner.check_kept();
}

template <class Server>
void check_absent_server(Server& server) {
  const auto store = open_or_fail(server.url("patience=0"));
  const Lease lease = acquire(*store, Partition(0));
  REQUIRE(commit(*store, log_commit(lease, "before")));
  server.kill();
  CHECK(error_code(commit(*store, log_commit(lease, "lost"))) == code::unavailable);
  CHECK(error_code(store->leases()) == code::unavailable);
  CHECK(error_code(commit(*store, log_commit(lease, "late"))) == code::fenced);
  server.start();
  const Lease anew = acquire(*store, Partition(0));
  CHECK(commit(*store, log_commit(anew, "after")));
  CHECK(log_texts(*store, Partition(0)).back() == "after");
}

template <class Server>
void check_patience(Server& server) {
  const auto store = open_or_fail(server.url("patience=60"));
  const Lease lease = acquire(*store, Partition(0));
  REQUIRE(commit(*store, log_commit(lease, "1")));
  server.kill();
  Outcomes outcomes;
  for (int number = 2; number < 10; ++number) store->commit(log_commit(lease, std::to_string(number)), outcomes.done(number));
  server.start();
  for (const auto& [number, outcome] : outcomes.wait(8)) {
    REQUIRE_MESSAGE(outcome, outcome.error().to_string());
    CHECK(outcome->value == static_cast<std::uint64_t>(number));
  }
  CHECK(store->renew(lease, kTtl, kNow));
}

void check_shared_transactions(const std::string& url);
void check_hints(const std::string& url);
void check_made_at_once(const std::string& url);
/// The URL has options already.
void check_partition_count(const std::string& url);

}  // namespace mapflow::persistence::testing
