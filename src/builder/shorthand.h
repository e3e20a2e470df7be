// `${a.b}`, the short way to write `{{ a.b }}`.
//
// In a template it stands for `{{ a.b }}`; in an expression for the reference itself, never for pasted text, so that
// "${quality} > 0.8" reads `quality > 0.8` and quotes right around it are dropped ("'${state}' == 'ok'" reads
// `state == 'ok'`). `$${a.b}` stands for the characters `${a.b}`. What is not a dotted name in braces is left alone:
// "${HOME:-x}" is text. Inside `{{ }}` and `{% %}` nothing is replaced.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "value/value.h"

namespace mapflow::builder {

enum class TextMode : std::uint8_t { as_template, as_expression };

/// Whether `expand_shorthand` could change the text; a cheap look first.
bool has_shorthand(std::string_view text);

std::string expand_shorthand(std::string_view text, TextMode mode);
/// A `${…}` in a text that no expanding touches, because what stands in it is no dotted name.
struct Unexpanded {
  std::size_t at = 0;        ///< where it begins
  std::string_view inside;
};
/// Those outside of `{{ }}` and `{% %}`, in a text whose shorthands are expanded already.
std::vector<Unexpanded> unexpanded(std::string_view text);

/// The text that expands to `text`: the inverse for texts that are canonical already.
std::string escape_shorthand(std::string_view text);

/// The same for every text inside a value. Object keys are left alone.
Value expand_shorthands(const Value& value, TextMode mode);
Value escape_shorthands(const Value& value);

}  // namespace mapflow::builder
