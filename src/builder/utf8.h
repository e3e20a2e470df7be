// Bytes to places: UTF-8 as the builder looks at it.
#pragma once

#include <optional>
#include <string_view>

#include "builder/document.h"

namespace mapflow::builder {

struct TextFault {
  Mark at;
  bool control_character = false;  ///< else a byte that is not UTF-8
  unsigned char byte = 0;
};

/// The first byte that is not part of well-formed UTF-8, or that is a control character other than tab and line ends.
std::optional<TextFault> find_text_fault(std::string_view text);

/// The line with this number (from 1), without its line end. "" past the end.
std::string_view line_of(std::string_view text, std::uint32_t line);

/// Whether runs of blanks make the text too costly for the YAML library, which takes quadratic time over them. Such as
/// people write cost nothing worth counting; of the others as many are let through as take about a second.
bool blanks_are_endless(std::string_view text);

/// The text behind the byte order marks that it begins with. There may be several: whoever joins files leaves them there.
std::string_view without_byte_order_marks(std::string_view text);

}  // namespace mapflow::builder
