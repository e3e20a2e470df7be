// The program's streams: standard output for what was asked for, standard error for problems.
//
// With `--json` standard output belongs to the one JSON document, and what people read goes to standard error.
// Writing never fails for the caller: when the reader has gone away, the stream swallows what follows.
// Thread safety: none; one thread writes.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/error.h"
#include "cli/exit_code.h"
#include "value/value.h"

namespace mapflow::cli {

enum class Color { plain, red, green, yellow, blue, cyan, dim, bold };

class Stream {
 public:
  /// Writes to a file descriptor that stays the caller's. Looks at it once: terminal or not, NO_COLOR, TERM.
  explicit Stream(int descriptor);

  void write(std::string_view text);
  void line(std::string_view text = {});

  /// Whether the cursor can be moved: a terminal that is not dumb.
  bool terminal() const { return terminal_; }
  bool color() const { return color_; }
  /// The terminal's size now; 80 by 24 where there is none.
  std::size_t columns() const;
  std::size_t rows() const;
  /// `text` in that colour, where colours are shown.
  std::string paint(Color color, std::string_view text) const;

 private:
  int descriptor_;
  bool terminal_ = false;
  bool color_ = false;
  bool broken_ = false;
};

struct Console {
  Stream out{1};
  Stream err{2};

  Stream& people(bool json) { return json ? err : out; }
  /// Prints a document: indented for a terminal, else on one line.
  void document(const Value& value);
  /// "error: …" with its hint and its cause on standard error; with `json` also {"error": …} on standard output.
  void error(const Error& error, bool json);
};

/// As error(), and the exit code that belongs to it.
ExitCode refuse(Console& console, const Error& error, bool json);

}  // namespace mapflow::cli
