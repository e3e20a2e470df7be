// UTF-8 and what Python knows of characters: classes, cases, widths.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace mapflow::jinja::detail::unicode {

struct Decoded {
  std::uint32_t code;
  std::size_t width;  ///< in bytes; 1 for a byte that is not UTF-8, whose code is then U+DC00 + the byte
};

/// The first character of a text that is not empty.
Decoded decode(std::string_view text);
void append_utf8(std::string& out, std::uint32_t code);

/// Number of characters.
std::size_t length(std::string_view text);
/// Byte offset of the character with this index; text.size() when there are fewer.
std::size_t offset(std::string_view text, std::size_t index);
bool is_ascii(std::string_view text);

/// Bytes of the white space character or word character (letter, digit, underscore) that the text starts with; 0 when
/// it starts with something else.
std::size_t space_width(std::string_view text);
std::size_t word_width(std::string_view text);

std::string_view strip_left(std::string_view text);
std::string_view strip_right(std::string_view text);
std::string_view strip(std::string_view text);

bool is_space(std::uint32_t code);
bool is_alpha(std::uint32_t code);
bool is_decimal(std::uint32_t code);
bool is_digit(std::uint32_t code);
bool is_numeric(std::uint32_t code);
bool is_alnum(std::uint32_t code);
bool is_upper(std::uint32_t code);
bool is_lower(std::uint32_t code);
bool is_title(std::uint32_t code);
bool is_cased(std::uint32_t code);
bool is_printable(std::uint32_t code);
/// The value of a decimal digit, or -1.
int decimal_value(std::uint32_t code);

std::string upper(std::string_view text);
std::string lower(std::string_view text);
std::string casefold(std::string_view text);
/// The letters that a Latin letter with accents is made of, in ASCII; any other character as it is.
std::string without_accents(std::uint32_t code);
/// The case forms of one character, appended.
void append_upper(std::string& out, std::uint32_t code);
void append_lower(std::string& out, std::uint32_t code);
void append_title(std::string& out, std::uint32_t code);

}  // namespace mapflow::jinja::detail::unicode
