// Texts for a terminal: their width, cutting and aligning them, and keeping foreign control characters out.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "cli/console.h"

namespace mapflow::cli {

/// Columns that `text` takes on a terminal; colour escapes take none.
std::size_t display_width(std::string_view text);

/// `text` without control characters, so that what an agent wrote cannot steer the terminal. Line ends become spaces,
/// bytes that are not UTF-8 become U+FFFD.
std::string printable(std::string_view text);
/// The same for text of several lines: keeps line ends and tabs.
std::string printable_lines(std::string_view text);

/// At most `columns` wide, ending in "…" when something was cut off. Colour escapes survive and are closed.
std::string fit(std::string_view text, std::size_t columns);

/// `text` and spaces up to `columns`.
std::string pad(std::string_view text, std::size_t columns);

/// "0.4s", "12.3s", "2m 05s", "1h 03m", "2d 04h".
std::string format_elapsed(Duration span);

/// "14:03:07.250" of a day, in UTC.
std::string format_clock(Timestamp at);

/// Quotes a word for a POSIX shell where it needs quoting.
std::string shell_quoted(std::string_view word);

/// "1 step", "2 steps".
std::string counted(std::uint64_t count, std::string_view noun);

/// Rows of cells in aligned columns.
class Table {
 public:
  explicit Table(std::vector<std::string> header) : rows_{std::move(header)} {}
  void row(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  /// Lines without line ends; the header in bold. Lines are cut to the width of a terminal, never elsewhere.
  std::vector<std::string> lines(const Stream& stream) const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace mapflow::cli
