#include "support/redis_server.h"

#include <doctest/doctest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

namespace mapflow::testing {
namespace {

constexpr const char* kUser = "user mapflow on >";
constexpr const char* kRights = " ~* &* +@all";

/// Lines for a server that may be another one's replica.
std::vector<std::string> replicating(std::vector<std::string> settings = {}) {
  settings.push_back("masteruser mapflow");
  settings.push_back("repl-diskless-sync-delay 0");
  settings.push_back(std::string("masterauth ") + RedisServer::kPassword);
  return settings;
}

std::string make_url(const std::string& user, const std::string& password, std::uint16_t port, const std::string& options) {
  return "redis://" + user + ":" + url_encoded(password) + "@127.0.0.1:" + std::to_string(port) + (options.empty() ? "" : "?" + options);
}

/// The exit status of redis-cli; what it printed is in the file.
int run_cli(std::uint16_t port, const std::vector<std::string>& words, const ServerFolder& folder, const std::string& out) {
  std::vector<std::string> command = {find_program("redis-cli", "redis-tools"), "-h", "127.0.0.1", "-p", std::to_string(port), "-e",
                                      "--no-auth-warning", "--user", "mapflow", "--pass", RedisServer::kPassword};
  command.insert(command.end(), words.begin(), words.end());
  return ServerProcess(command, folder.path(), out).wait();
}

}  // namespace

RedisServer::RedisServer(const std::vector<std::string>& settings) : port_(free_port()) {
  std::ofstream file(folder_.file("redis.conf"));
  file << "port " << port_ << "\nbind 127.0.0.1\ndir " << folder_.path().string() << "\nsave \"\"\nappendonly yes\nappendfsync always\n"
       << "user default off" << kRights << '\n' << kUser << kPassword << kRights << '\n';
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
  while (run_cli(port_, {"PING"}, folder_, folder_.file("ping.log")) != 0) {
    REQUIRE_MESSAGE(process_->running(), "the server ended:\n", read_text(log));
    REQUIRE_MESSAGE(std::chrono::steady_clock::now() < deadline, "the server does not start:\n", read_text(log));
  }
}

std::string RedisServer::command(const std::string& words) const {
  std::istringstream split(words);
  return command(std::vector<std::string>(std::istream_iterator<std::string>(split), {}));
}

std::string RedisServer::command(const std::vector<std::string>& words) const {
  const std::string out = folder_.file("answer");
  std::filesystem::remove(out);
  const int status = run_cli(port_, words, folder_, out);
  std::string answer = read_text(out);
  REQUIRE_MESSAGE(status == 0, words.front(), "\n", answer);
  while (!answer.empty() && answer.back() == '\n') answer.pop_back();
  return answer;
}

RedisCluster::RedisCluster() {
  std::vector<std::string> create = {find_program("redis-cli", "redis-tools"), "--no-auth-warning", "--user", "mapflow", "--pass",
                                     RedisServer::kPassword, "--cluster", "create"};
  for (std::size_t number = 0; number < kServers; ++number) {
    servers_.push_back(std::make_unique<RedisServer>(replicating(
        {"cluster-enabled yes", "cluster-port " + std::to_string(free_port()), "cluster-node-timeout 1500"})));
    create.push_back("127.0.0.1:" + std::to_string(servers_.back()->port()));
  }
  create.insert(create.end(), {"--cluster-replicas", "1", "--cluster-yes"});
  run_program(create, ServerFolder());
  wait_until_whole();
}

std::string RedisCluster::url(const std::string& options) const {
  std::string url = std::string("redis+cluster://mapflow:") + url_encoded(RedisServer::kPassword) + "@";
  for (std::size_t number = 0; number < servers_.size(); ++number)
    url += (number > 0 ? ",127.0.0.1:" : "127.0.0.1:") + std::to_string(servers_[number]->port());
  return url + (options.empty() ? "" : "?" + options);
}

void RedisCluster::wait_until_whole() {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  for (const auto& server : servers_) {
    const auto whole = [&] {
      // A replica that has not heard of its primary yet could not take over.
      return server->command("CLUSTER INFO").find("cluster_state:ok") != std::string::npos &&
             server->command("INFO replication").find("master_link_status:down") == std::string::npos;
    };
    while (server->running() && !whole()) REQUIRE(std::chrono::steady_clock::now() < deadline);
  }
}

std::size_t RedisCluster::server_of(const std::string& key) {
  std::istringstream nodes(servers_.front()->command("CLUSTER NODES"));
  const int slot = std::stoi(servers_.front()->command("CLUSTER KEYSLOT " + key));
  for (std::string line; std::getline(nodes, line);) {
    // name host:port@port flags primary ping pong epoch link range …
    std::istringstream words(line);
    std::string word, address;
    for (int number = 0; number < 8; ++number) {
      words >> word;
      if (number == 1) address = word;
    }
    while (words >> word) {
      const std::size_t dash = word.find('-');
      const int first = std::stoi(word), last = dash == std::string::npos ? first : std::stoi(word.substr(dash + 1));
      if (word.front() == '[' || slot < first || slot > last) continue;
      const std::string port = address.substr(address.find(':') + 1);
      for (std::size_t number = 0; number < servers_.size(); ++number)
        if (std::to_string(servers_[number]->port()) == port.substr(0, port.find('@'))) return number;
    }
  }
  FAIL("no server has the key ", key);
  return 0;
}

void RedisCluster::move_slot_of(const std::string& key, const std::function<void()>& between) {
  RedisServer& from = server(server_of(key));
  RedisServer* to = nullptr;
  for (const auto& other : servers_)
    if (other.get() != &from && other->command("ROLE").starts_with("master")) to = other.get();
  REQUIRE(to);
  const std::string slot = from.command("CLUSTER KEYSLOT " + key);
  to->command("CLUSTER SETSLOT " + slot + " IMPORTING " + from.command("CLUSTER MYID"));
  from.command("CLUSTER SETSLOT " + slot + " MIGRATING " + to->command("CLUSTER MYID"));
  between();
  std::istringstream keys(from.command("CLUSTER GETKEYSINSLOT " + slot + " 1000"));
  for (std::string moved; std::getline(keys, moved);) {
    from.command({"MIGRATE", "127.0.0.1", std::to_string(to->port()), moved, "0", "5000", "AUTH2", "mapflow", RedisServer::kPassword});
    between();
  }
  const std::string owner = to->command("CLUSTER MYID");
  for (RedisServer* each : {to, &from}) each->command("CLUSTER SETSLOT " + slot + " NODE " + owner);
  between();
}

RedisSentinel::RedisSentinel()
    : primary_(replicating()), replica_(replicating({"replicaof 127.0.0.1 " + std::to_string(primary_.port())})), port_(free_port()) {
  const std::string settings = folder_.file("sentinel.conf"), log = folder_.file("sentinel.log");
  std::ofstream(settings) << "port " << port_ << "\nbind 127.0.0.1\ndir " << folder_.path().string() << '\n'
                          << kUser << RedisServer::kPassword << kRights << "\nsentinel monitor main 127.0.0.1 " << primary_.port()
                          << " 1\nsentinel auth-user main mapflow\nsentinel auth-pass main " << RedisServer::kPassword
                          << "\nsentinel down-after-milliseconds main 1000\nsentinel failover-timeout main 5000\n";
  std::filesystem::permissions(settings, std::filesystem::perms::all);  // it writes there what it learns
  process_ = std::make_unique<ServerProcess>(
      std::vector<std::string>{find_program("redis-server", "redis-server"), settings, "--sentinel"}, folder_.path(), log);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!sentinel_says({"SENTINEL", "REPLICAS", "main"}, std::to_string(replica_.port())) ||
         replica_.command("INFO replication").find("master_link_status:up") == std::string::npos)
    REQUIRE_MESSAGE(std::chrono::steady_clock::now() < deadline, "the sentinel does not find the replica:\n", read_text(log));
}

bool RedisSentinel::sentinel_says(const std::vector<std::string>& to, const std::string& what) {
  const std::string answer = folder_.file("answer");
  std::filesystem::remove(answer);
  return run_cli(port_, to, folder_, answer) == 0 && read_text(answer).find(what) != std::string::npos;
}

void RedisSentinel::take_over() {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!sentinel_says({"SENTINEL", "FAILOVER", "main"}, "OK")) REQUIRE(std::chrono::steady_clock::now() < deadline);
  while (!sentinel_says({"SENTINEL", "GET-MASTER-ADDR-BY-NAME", "main"}, std::to_string(replica_.port())))
    REQUIRE(std::chrono::steady_clock::now() < deadline);
}

std::string RedisSentinel::url(const std::string& options) const {
  const std::string password = url_encoded(RedisServer::kPassword);
  return "redis+sentinel://mapflow:" + password + "@127.0.0.1:" + std::to_string(port_) + "/main?sentineluser=mapflow&sentinelpassword=" +
         password + (options.empty() ? "" : "&" + options);
}

RedisCluster& shared_redis_cluster() {
  static RedisCluster cluster;
  return cluster;
}

RedisServer& shared_redis() {
  static RedisServer server;
  return server;
}

}  // namespace mapflow::testing
