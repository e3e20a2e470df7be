// Cuts a stream of bytes into log lines and remembers how it ended.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace mapflow::agents {

/// For one stream; used by one thread at a time. However much comes in, it keeps at most a line and the tail, and
/// passes on at most kMaxLogged bytes: what follows is only said to be missing.
class LogLines {
 public:
  static constexpr std::size_t kMaxLine = 8 * 1024;  ///< a longer line is passed on in pieces
  static constexpr std::size_t kTail = 4 * 1024;
  static constexpr std::size_t kMaxLogged = 1024 * 1024;

  /// `sink` gets each line without its end; it may be empty.
  explicit LogLines(std::function<void(std::string_view)> sink) : sink_(std::move(sink)) {}

  void feed(std::string_view bytes);
  /// Passes on a last line that has no end.
  void finish();
  /// The last bytes that came in, at most kTail.
  std::string_view tail() const;

 private:
  void emit(std::string_view line);

  std::function<void(std::string_view)> sink_;
  std::string line_;
  std::string tail_;
  std::size_t logged_ = 0;
};

}  // namespace mapflow::agents
