// SIGINT, SIGTERM, SIGHUP and SIGWINCH as something a loop can wait for.
//
// The first of INT, TERM and HUP asks the program to stop in good order; the second one ends it at once with status
// 130, from the signal handler, whatever the program is doing. A store survives that like any crash.
#pragma once

#include <chrono>

namespace mapflow::cli {

/// Signals are handled while this object lives; at most one lives at a time.
class Interrupts {
 public:
  Interrupts();
  ~Interrupts();
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;

  /// Readable when a signal has come since drain(); for poll().
  int descriptor() const { return read_end_; }
  void drain();
  /// Waits that long, or until a signal comes. Gives whether the program was asked to stop.
  bool wait(std::chrono::milliseconds span);
  /// Whether the program was asked to stop.
  bool stop_requested() const;

 private:
  int read_end_ = -1;
  int write_end_ = -1;
};

}  // namespace mapflow::cli
