#include "support/postgres_server.h"

#include <doctest/doctest.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>
#include <vector>

namespace mapflow::testing {
namespace {

constexpr const char* kBinaries = "/usr/lib/postgresql/*/bin";

std::string make_url(const std::string& user, const std::string& password, std::uint16_t port, const std::string& options) {
  return "postgres://" + user + ":" + url_encoded(password) + "@127.0.0.1:" + std::to_string(port) + "/postgres" +
         (options.empty() ? "" : "?" + options);
}

/// Waits until something takes connections for PostgreSQL on the port.
void wait_for_port(std::uint16_t port, ServerProcess& process, const ServerFolder& folder, const std::string& log) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  const std::vector<std::string> ask = {find_program("pg_isready", "postgresql", {kBinaries}), "-q", "-h", "127.0.0.1", "-p",
                                        std::to_string(port), "-d", "postgres", "-U", "mapflow"};
  while (ServerProcess(ask, folder.path(), log).wait() != 0) {
    REQUIRE_MESSAGE(process.running(), "the server ended:\n", read_text(log));
    REQUIRE_MESSAGE(std::chrono::steady_clock::now() < deadline, "the server does not start:\n", read_text(log));
  }
}

/// "S 1 …": a process's state and its parent, as /proc has them; empty when there is no such process.
std::string status_of(const std::string& pid) {
  // "pid (command) state parent …"; the command may hold anything, so the last ')' counts.
  const std::string status = read_text("/proc/" + pid + "/stat");
  const std::size_t close = status.rfind(')');
  return close == std::string::npos || close + 2 >= status.size() ? "" : status.substr(close + 2);
}

std::vector<int> children_of(int parent) {
  std::vector<int> children;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    const std::string status = status_of(name);
    if (status.size() > 2 && std::atoi(status.c_str() + 2) == parent) children.push_back(std::atoi(name.c_str()));
  }
  return children;
}

}  // namespace

PostgresServer::PostgresServer(Durability durability)
    : program_(find_program("postgres", "postgresql", {kBinaries})), log_(folder_.file("server.log")), port_(free_port()) {
  const std::string data = folder_.file("data"), password_file = folder_.file("password");
  std::ofstream(password_file) << kPassword << '\n';
  run_program({find_program("initdb", "postgresql", {kBinaries}), "--pgdata=" + data, "--username=mapflow", "--encoding=UTF8",
               "--locale=C.UTF-8", "--auth=scram-sha-256", "--pwfile=" + password_file, "--no-sync"},
              folder_);
  std::ofstream settings(data + "/postgresql.conf", std::ios::app);
  settings << "listen_addresses = '127.0.0.1'\nport = " << port_ << "\nunix_socket_directories = ''\nshared_buffers = 64MB\n"
           << "max_connections = 60\n";
  if (durability == Durability::off) settings << "fsync = off\nsynchronous_commit = off\nfull_page_writes = off\n";
  settings.close();
  start();
}

PostgresServer::~PostgresServer() { end(); }  // one that is shared outlives the tests, so nothing is checked here

std::string PostgresServer::url(const std::string& options) const { return url_of("mapflow", kPassword, options); }

std::string PostgresServer::url_of(const std::string& user, const std::string& password, const std::string& options) const {
  return make_url(user, password, port_, options);
}

std::string PostgresServer::url_through(std::uint16_t port, const std::string& options) const {
  return make_url("mapflow", kPassword, port, options);
}

void PostgresServer::start() {
  process_ = std::make_unique<ServerProcess>(
      std::vector<std::string>{program_, "-D", folder_.file("data")}, folder_.path(), log_);
  wait_for_port(port_, *process_, folder_, log_);
}

/// The server's processes each lead a session of their own, but all have one parent. It is stopped first, so that it
/// makes no new ones; once it is gone they are nobody's children.
bool PostgresServer::end() {
  if (!process_) return true;
  process_->signal(SIGSTOP);
  const std::vector<int> children = children_of(process_->pid());
  for (const int child : children) ::kill(child, SIGKILL);
  process_.reset();
  const auto gone = [](int child) {
    const std::string status = status_of(std::to_string(child));
    return status.empty() || status.front() == 'Z';
  };
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!std::ranges::all_of(children, gone) && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
  return std::ranges::all_of(children, gone);
}

void PostgresServer::kill() { CHECK(end()); }

std::string PostgresServer::sql(const std::string& statement) const {
  const std::string out = folder_.file("answer"), in = folder_.file("statement");
  std::filesystem::remove(out);
  std::ofstream(in) << statement;
  const int status = ServerProcess({find_program("psql", "postgresql", {kBinaries}), "-XAtq", "-v", "ON_ERROR_STOP=1", "-f", in,
                                    "-d", url()},
                                   folder_.path(), out)
                         .wait();
  std::string answer = read_text(out);
  REQUIRE_MESSAGE(status == 0, statement, "\n", answer);
  while (!answer.empty() && answer.back() == '\n') answer.pop_back();
  return answer;
}

PgBouncer::PgBouncer(const PostgresServer& server) : port_(free_port()) {
  std::ofstream(folder_.file("users")) << "\"mapflow\" \"" << PostgresServer::kPassword << "\"\n";
  std::ofstream(folder_.file("pgbouncer.ini"))
      << "[databases]\npostgres = host=127.0.0.1 port=" << server.port() << "\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = "
      << port_ << "\nunix_socket_dir =\nauth_type = plain\nauth_file = " << folder_.file("users")
      << "\npool_mode = transaction\ndefault_pool_size = 3\n";
  process_ = std::make_unique<ServerProcess>(
      std::vector<std::string>{find_program("pgbouncer", "pgbouncer", {"/usr/sbin"}), folder_.file("pgbouncer.ini")},
      folder_.path(), folder_.file("log"));
  wait_for_port(port_, *process_, folder_, folder_.file("log"));
}

PostgresServer& shared_postgres() {
  static PostgresServer server;
  return server;
}

}  // namespace mapflow::testing
