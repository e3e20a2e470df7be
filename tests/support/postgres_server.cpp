#include "support/postgres_server.h"

#include <doctest/doctest.h>
#include <signal.h>

#include <cctype>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace mapflow::testing {
namespace {

constexpr const char* kBinaries = "/usr/lib/postgresql/*/bin";

std::string encoded(const std::string& text) {
  constexpr const char* kDigits = "0123456789ABCDEF";
  std::string out;
  for (const char letter : text) {
    const auto byte = static_cast<unsigned char>(letter);
    if (std::isalnum(byte)) out += letter;
    else out += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
  }
  return out;
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

PostgresServer::~PostgresServer() { kill(); }

std::string PostgresServer::url(const std::string& options) const { return url_of("mapflow", kPassword, options); }

std::string PostgresServer::url_of(const std::string& user, const std::string& password, const std::string& options) const {
  return "postgres://" + user + ":" + encoded(password) + "@127.0.0.1:" + std::to_string(port_) + "/postgres" +
         (options.empty() ? "" : "?" + options);
}

void PostgresServer::start() {
  process_ = std::make_unique<ServerProcess>(
      std::vector<std::string>{program_, "-D", folder_.file("data")}, folder_.path(), log_);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  const std::vector<std::string> ask = {find_program("pg_isready", "postgresql", {kBinaries}), "-q", "-h", "127.0.0.1", "-p",
                                        std::to_string(port_), "-d", "postgres", "-U", "mapflow"};
  while (ServerProcess(ask, folder_.path(), log_).wait() != 0) {
    REQUIRE_MESSAGE(process_->running(), "the server ended:\n", read_text(log_));
    REQUIRE_MESSAGE(std::chrono::steady_clock::now() < deadline, "the server does not start:\n", read_text(log_));
  }
}

void PostgresServer::kill() {
  if (!process_) return;
  signal_all(SIGKILL);
  process_.reset();
}

void PostgresServer::freeze() { signal_all(SIGSTOP); }
void PostgresServer::thaw() { signal_all(SIGCONT); }

/// The server's processes each lead a session of their own, but all have the same parent.
void PostgresServer::signal_all(int number) {
  process_->signal(number);
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    // "pid (command) state parent …"; the command may hold anything, so the last ')' counts.
    const std::string status = read_text(entry.path() / "stat");
    const std::size_t close = status.rfind(')');
    if (close == std::string::npos || close + 4 >= status.size()) continue;
    if (std::atoi(status.c_str() + close + 4) == process_->pid()) ::kill(std::atoi(name.c_str()), number);
  }
}

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

PostgresServer& shared_postgres() {
  static PostgresServer server;
  return server;
}

}  // namespace mapflow::testing
