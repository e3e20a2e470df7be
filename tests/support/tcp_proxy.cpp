#include "support/tcp_proxy.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>

namespace mapflow::testing {
namespace {

constexpr std::chrono::seconds kDeadline(30);

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

void close_socket(int& socket) {
  if (socket >= 0) close(socket);
  socket = -1;
}

void send_all(int socket, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return;  // its end is seen when it is read
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

}  // namespace

TcpProxy::TcpProxy(std::uint16_t server_port)
    : server_port_(server_port), listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)), wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  REQUIRE(bind(listener_, reinterpret_cast<sockaddr*>(&address), size) == 0);
  REQUIRE(listen(listener_, 64) == 0);
  REQUIRE(getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { run(); });
}

TcpProxy::~TcpProxy() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake();
  thread_.join();
  for (const auto& link : links_) {
    close_socket(link->client);
    close_socket(link->server);
  }
  close(listener_);
  close(wake_);
}

void TcpProxy::wake() { eventfd_write(wake_, 1); }

void TcpProxy::hold_requests(bool on) {
  const std::lock_guard lock(mutex_);
  hold_ = on;
}

void TcpProxy::drop_answers(bool on) {
  const std::lock_guard lock(mutex_);
  drop_ = on;
}

void TcpProxy::wait_for_held() {
  std::unique_lock lock(mutex_);
  REQUIRE(changed_.wait_for(lock, kDeadline, [this] {
    return std::ranges::any_of(links_, [](const auto& link) { return !link->held.empty(); });
  }));
}

void TcpProxy::cut_clients() {
  const std::lock_guard lock(mutex_);
  for (const auto& link : links_) {
    if (link->client >= 0) shutdown(link->client, SHUT_RDWR);
    close_socket(link->client);
    if (link->held.empty()) close_socket(link->server);
  }
  wake();
}

void TcpProxy::deliver_held() {
  std::unique_lock lock(mutex_);
  for (const auto& link : links_) {
    if (link->client >= 0 || link->server < 0) continue;
    send_all(link->server, link->held);
    wake();
    REQUIRE(changed_.wait_for(lock, kDeadline, [&] { return link->answered_late || link->server < 0; }));
  }
}

void TcpProxy::run() {
  for (;;) {
    std::vector<pollfd> sources = {{wake_, POLLIN, 0}, {listener_, POLLIN, 0}};
    std::vector<Link*> links;
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) return;
      for (const auto& link : links_) {
        links.push_back(link.get());
        sources.push_back({link->client, POLLIN, 0});
        sources.push_back({link->server, POLLIN, 0});
      }
    }
    poll(sources.data(), sources.size(), -1);
    eventfd_t ignored = 0;
    eventfd_read(wake_, &ignored);
    const std::lock_guard lock(mutex_);
    for (std::size_t index = 0; index < links.size(); ++index) {
      // A socket that was closed meanwhile is -1 now, whatever poll() saw.
      if (sources[2 + 2 * index].revents != 0 && links[index]->client >= 0) from_client(*links[index]);
      if (sources[3 + 2 * index].revents != 0 && links[index]->server >= 0) from_server(*links[index]);
    }
    if (sources[1].revents != 0) accept_client();
  }
}

void TcpProxy::accept_client() {
  auto link = std::make_unique<Link>();
  link->client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
  link->server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = loopback(server_port_);
  if (connect(link->server, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    close_socket(link->client);
    close_socket(link->server);
  }
  links_.push_back(std::move(link));
}

void TcpProxy::from_client(Link& link) {
  char bytes[65536];
  const ssize_t count = recv(link.client, bytes, sizeof bytes, 0);
  if (count <= 0) {
    close_socket(link.client);
    if (link.held.empty()) close_socket(link.server);
    return;
  }
  const std::string_view said(bytes, static_cast<std::size_t>(count));
  if (hold_) {
    link.held += said;
    changed_.notify_all();
  } else {
    send_all(link.server, said);
  }
}

void TcpProxy::from_server(Link& link) {
  char bytes[65536];
  const ssize_t count = recv(link.server, bytes, sizeof bytes, 0);
  if (count <= 0) {
    close_socket(link.server);
    close_socket(link.client);
  } else if (link.client < 0) {
    link.answered_late = true;
  } else if (!drop_) {
    send_all(link.client, std::string_view(bytes, static_cast<std::size_t>(count)));
  }
  changed_.notify_all();
}

}  // namespace mapflow::testing
