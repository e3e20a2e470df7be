// A forked child of a test, that reports line by line and can be killed.
#pragma once

#include <functional>
#include <string>

namespace mapflow::testing {

/// Runs the function in a forked child process. What it reports line by line arrives here, also from a killed child.
/// To be made while no other thread runs and no SQLite file is open: neither survives a fork.
class ChildProcess {
 public:
  using Report = std::function<void(const std::string& line)>;
  explicit ChildProcess(const std::function<void(const Report&)>& body);
  ~ChildProcess();
  /// The next line, or nothing once the child is gone.
  bool next_line(std::string& line);
  void kill();
  /// Waits for the end; the exit status, or -signal.
  int wait();

 private:
  int pid_ = -1;
  int pipe_ = -1;
  std::string buffer_;
};

}  // namespace mapflow::testing
