// Filters on text.
#include <algorithm>

#include "jinja/builtins.h"
#include "jinja/environment_state.h"
#include "jinja/format.h"
#include "jinja/unicode.h"
#include "jinja/wrap.h"

namespace mapflow::jinja::detail {

namespace {

Cell lower(Vm& vm, const Cell* a, const Args&) { return lower_text(vm, a[0]); }
Cell upper(Vm& vm, const Cell* a, const Args&) { return upper_text(vm, a[0]); }

Cell capitalize(Vm& vm, const Cell* a, const Args&) {
  const Cell text = to_text(vm, a[0]);
  if (text.size == 0) return text;
  check_text_size(vm, text.size * 3ull);
  const auto [code, width] = unicode::decode(text.text());
  std::string out;
  unicode::append_title(out, code);
  out += unicode::lower(text.text().substr(width));
  return vm.text(out, text.is_markup());
}

// Words begin after white space, hyphens and opening brackets; a run of those is a word of its own.
Cell title(Vm& vm, const Cell* a, const Args&) {
  const Cell source = to_text(vm, a[0]);
  const std::string_view text = source.text();
  check_text_size(vm, text.size() * 3);
  const auto divides = [](std::uint32_t c) {
    return c == '-' || c == '(' || c == '{' || c == '[' || c == '<' || unicode::is_space(c);
  };
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const auto first = unicode::decode(text.substr(i));
    std::size_t end = i + first.width;
    while (end < text.size()) {
      const auto next = unicode::decode(text.substr(end));
      if (divides(next.code) != divides(first.code)) break;
      end += next.width;
    }
    unicode::append_upper(out, first.code);
    out += unicode::lower(text.substr(i + first.width, end - i - first.width));
    i = end;
  }
  return vm.text(out);
}

Cell trim(Vm& vm, const Cell* a, const Args&) {
  const Cell text = to_text(vm, a[0]);
  return Cell::borrowed(strip_text(vm, text.text(), a[1], true, true), text.is_markup());
}

Cell string(Vm& vm, const Cell* a, const Args&) { return to_text(vm, a[0]); }

Cell center(Vm& vm, const Cell* a, const Args&) {
  const Cell text = to_text(vm, a[0]);
  const std::int64_t width = integer_or(vm, a[1], 80);
  const auto length = *length_of(vm, text);
  const std::int64_t padding = padding_to(width, length);
  const std::int64_t left = padding / 2 + (padding & width & 1);
  return repeated_padding(vm, text.text(), left, padding - left, " ", text.is_markup());
}

Cell replace(Vm& vm, const Cell* a, const Args&) {
  Cell text = to_text(vm, a[0]);
  Cell from = to_text(vm, a[1]);
  Cell to = to_text(vm, a[2]);
  const std::int64_t count = given_value(a[3]) ? index(vm, a[3]) : -1;
  if (!vm.autoescape) {
    const Cell plain = replace_text(vm, Cell::borrowed(text.text()), from.text(), to.text(), count);
    return plain;
  }
  if (from.is_markup() || (to.is_markup() && !text.is_markup())) text = escaped(vm, text);
  if (text.is_markup()) {
    from = escaped(vm, from);
    to = escaped(vm, to);
  }
  return replace_text(vm, text, from.text(), to.text(), count);
}

Cell indent(Vm& vm, const Cell* a, const Args&) {
  if (!a[0].is_text()) {
    if (a[0].is(Kind::undefined)) vm.fail_undefined(a[0]);
    vm.type_error("indent needs a text, not " + type_name(a[0]));
  }
  std::string_view indention;
  if (given(a[1]) && a[1].is_text()) {
    indention = a[1].text();  // as it is, even where the text is markup
  } else {
    const std::int64_t width = std::max<std::int64_t>(0, integer_or(vm, a[1], 4));
    indention = repeated_padding(vm, "", width, 0, " ", false).text();
  }
  const bool first = truth_or(vm, a[2], false), blank = truth_or(vm, a[3], false);
  std::string with_end(a[0].text());
  with_end += '\n';
  const auto lines = split_lines(with_end, false);
  vm.tick(lines.size());
  Capture capture(vm);
  if (first) vm.out.append(indention);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (i > 0) {
      vm.out.push('\n');
      if (blank || !lines[i].empty()) vm.out.append(indention);
    }
    vm.out.append(lines[i]);
  }
  return capture.finish(a[0].is_markup());
}

Cell truncate(Vm& vm, const Cell* a, const Args&) {
  const std::int64_t length = integer_or(vm, a[1], 255);
  const bool kill_words = truth_or(vm, a[2], false);
  const Cell end = given(a[3]) ? a[3] : Cell::borrowed("...");
  const std::int64_t leeway = given_value(a[4]) ? index(vm, a[4]) : 5;
  const auto end_length = length_of(vm, end);
  if (!end_length) vm.type_error("object of type '" + type_name(end) + "' has no len()");
  if (length < *end_length)
    vm.value_error("expected length >= " + std::to_string(*end_length) + ", got " + std::to_string(length));
  if (leeway < 0) vm.value_error("expected leeway >= 0, got " + std::to_string(leeway));
  const auto size = length_of(vm, a[0]);
  if (!size) vm.type_error("object of type '" + type_name(a[0]) + "' has no len()");
  if (*size - length <= leeway) return a[0];
  const Cell cut = slice(vm, a[0], Cell::none(), Cell::of(length - *end_length), Cell::none());
  if (!a[0].is_text())
    vm.fail(kill_words ? FailureClass::type : FailureClass::other, "truncate needs a text, not " + type_name(a[0]));
  std::string_view kept = cut.text();
  if (!kill_words) kept = kept.substr(0, kept.rfind(' '));
  return concatenate(vm, Cell::borrowed(kept, a[0].is_markup()), to_text(vm, end));
}

Cell wordcount(Vm& vm, const Cell* a, const Args&) {
  const std::string_view text = soft(vm, a[0]);
  vm.tick(text.size() / 16);
  std::int64_t count = 0;
  bool inside = false;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t width = unicode::word_width(text.substr(i));
    if (width && !inside) ++count;
    inside = width != 0;
    i += width ? width : unicode::decode(text.substr(i)).width;
  }
  return Cell::of(count);
}

Cell wordwrap(Vm& vm, const Cell* a, const Args&) {
  WrapOptions options;
  options.width = integer_or(vm, a[1], 79);
  options.break_long_words = truth_or(vm, a[2], true);
  options.break_on_hyphens = truth_or(vm, a[4], true);
  const Cell separator = given_value(a[3]) ? to_text(vm, a[3]) : Cell::borrowed("\n");
  if (a[0].is(Kind::undefined)) vm.fail_undefined(a[0]);
  if (!a[0].is_text()) vm.value_error("wordwrap needs a text, not " + type_name(a[0]));
  if (options.width <= 0) vm.value_error("invalid width " + std::to_string(options.width) + " (must be > 0)");
  const std::string_view text = a[0].text();
  vm.tick(text.size());
  Capture capture(vm);
  bool first_line = true;
  for (const std::string_view line : split_lines(text, false)) {
    if (!first_line) vm.out.append(separator.text());
    first_line = false;
    bool first_piece = true;
    for (const std::string& piece : wrap(line, options)) {
      if (!first_piece) vm.out.append(separator.text());
      first_piece = false;
      vm.out.append(piece);
    }
  }
  return capture.finish();
}

Cell format(Vm& vm, const Cell* a, const Args& rest) {
  if (rest.count && rest.named_count) vm.value_error("can't handle positional and keyword arguments at the same time");
  if (rest.named_count) {
    const Cell values = vm.dict();
    for (std::uint32_t i = 0; i < rest.named_count; ++i)
      vm.set(*values.as<Dict>(), Cell::borrowed(rest.named[i].name), rest.named[i].value);
    return format_percent(vm, to_text(vm, a[0]), values);
  }
  const Cell values = vm.list(rest.count, Kind::tuple);
  for (std::uint32_t i = 0; i < rest.count; ++i) vm.append(*values.as<List>(), rest.positional[i]);
  return format_percent(vm, to_text(vm, a[0]), values);
}

constexpr FunctionSpec kTable[] = {
    {"capitalize", capitalize},
    {"center", center, "width"},
    {"format", format, "", 0, true, true},
    {"indent", indent, "width,first,blank"},
    {"lower", lower},
    {"replace", replace, "old,new,count", 2},
    {"string", string},
    {"title", title},
    {"trim", trim, "chars"},
    {"truncate", truncate, "length,killwords,end,leeway"},
    {"upper", upper},
    {"wordcount", wordcount},
    {"wordwrap", wordwrap, "width,break_long_words,wrapstring,break_on_hyphens"},
};

}  // namespace

std::span<const FunctionSpec> text_filters() { return kTable; }

}  // namespace mapflow::jinja::detail
