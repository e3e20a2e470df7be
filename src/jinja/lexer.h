// A template's source cut into tokens, whitespace control already done.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "jinja/program.h"

namespace mapflow::jinja::detail {

enum class Tok : std::uint8_t {
  end,
  data,
  variable_begin,
  variable_end,
  block_begin,
  block_end,
  name,
  string,
  integer,
  number,
  add,
  sub,
  mul,
  div,
  floordiv,
  mod,
  pow,
  tilde,
  lparen,
  rparen,
  lbracket,
  rbracket,
  lbrace,
  rbrace,
  eq,
  ne,
  lt,
  le,
  gt,
  ge,
  assign,
  dot,
  colon,
  pipe,
  comma,
  semicolon,
};

struct Token {
  Tok type = Tok::end;
  std::uint32_t at = 0;
  std::string_view text;  ///< data and strings: the bytes meant; others: as written

  bool is_name(std::string_view wanted) const { return type == Tok::name && text == wanted; }
};

/// "'}}'", "end of template", "name 'x'" …: a token as error messages call it.
std::string describe(const Token& token);

/// Tokens of program.source, which is one bare expression when `expression`. Line ends in the source are made "\n"
/// first. The last token is `end`. Throws syntax Failures.
std::vector<Token> tokenize(Program& program, const Options& options, bool expression);

}  // namespace mapflow::jinja::detail
