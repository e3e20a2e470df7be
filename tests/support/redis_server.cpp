#include "support/redis_server.h"

#include <doctest/doctest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace mapflow::testing {
namespace {

std::string make_url(const std::string& user, const std::string& password, std::uint16_t port, const std::string& options) {
  return "redis://" + user + ":" + url_encoded(password) + "@127.0.0.1:" + std::to_string(port) + (options.empty() ? "" : "?" + options);
}

/// The exit status of redis-cli; what it printed is in the file.
int run_cli(std::uint16_t port, const std::string& words, const ServerFolder& folder, const std::string& out) {
  std::vector<std::string> command = {find_program("redis-cli", "redis-tools"), "-h", "127.0.0.1", "-p", std::to_string(port), "-e",
                                      "--no-auth-warning", "--user", "mapflow", "--pass", RedisServer::kPassword};
  std::istringstream split(words);
  for (std::string word; split >> word;) command.push_back(word);
  return ServerProcess(command, folder.path(), out).wait();
}

}  // namespace

RedisServer::RedisServer(const std::vector<std::string>& settings) : port_(free_port()) {
  std::ofstream file(folder_.file("redis.conf"));
  file << "port " << port_ << "\nbind 127.0.0.1\ndir " << folder_.path().string() << "\nsave \"\"\nappendonly yes\nappendfsync always\n"
       << "user default off ~* &* +@all\nuser mapflow on >" << kPassword << " ~* &* +@all\n";
  for (const std::string& line : settings) file << line << '\n';
  file.close();
  start();
}

std::string RedisServer::url_of(const std::string& user, const std::string& password, const std::string& options) const {
  return make_url(user, password, port_, options);
}

std::string RedisServer::url_through(std::uint16_t port, const std::string& options) const {
  return make_url("mapflow", kPassword, port, options);
}

void RedisServer::start() {
  const std::string log = folder_.file("server.log");
  process_ = std::make_unique<ServerProcess>(
      std::vector<std::string>{find_program("redis-server", "redis-server"), folder_.file("redis.conf")}, folder_.path(), log);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (run_cli(port_, "PING", folder_, folder_.file("ping.log")) != 0) {
    REQUIRE_MESSAGE(process_->running(), "the server ended:\n", read_text(log));
    REQUIRE_MESSAGE(std::chrono::steady_clock::now() < deadline, "the server does not start:\n", read_text(log));
  }
}

std::string RedisServer::command(const std::string& words) const {
  const std::string out = folder_.file("answer");
  std::filesystem::remove(out);
  const int status = run_cli(port_, words, folder_, out);
  std::string answer = read_text(out);
  REQUIRE_MESSAGE(status == 0, words, "\n", answer);
  while (!answer.empty() && answer.back() == '\n') answer.pop_back();
  return answer;
}

RedisServer& shared_redis() {
  static RedisServer server;
  return server;
}

}  // namespace mapflow::testing
