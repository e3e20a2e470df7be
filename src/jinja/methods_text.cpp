// Methods of text. On markup they give markup, and escape what they are given.
#include <algorithm>
#include <limits>

#include "jinja/builtins.h"
#include "jinja/format.h"
#include "jinja/lookup.h"
#include "jinja/unicode.h"

namespace mapflow::jinja::detail {

namespace {

Cell piece(Cell self, std::string_view text) { return Cell::borrowed(text, self.is_markup()); }

std::string_view argument(Vm& vm, Cell self, Cell argument, std::string_view what) {
  const std::string_view text = text_argument(vm, argument, what);
  return self.is_markup() ? escaped(vm, argument).text() : text;
}

// --- case ---------------------------------------------------------------------------------------------------------

Cell upper(Vm& vm, const Cell* a, const Args&) { return upper_text(vm, a[0]); }
Cell lower(Vm& vm, const Cell* a, const Args&) { return lower_text(vm, a[0]); }

Cell casefold(Vm& vm, const Cell* a, const Args&) {
  check_text_size(vm, a[0].size * 3ull);
  return vm.text(unicode::casefold(a[0].text()), a[0].is_markup());
}

Cell capitalize(Vm& vm, const Cell* a, const Args&) {
  if (a[0].size == 0) return a[0];
  check_text_size(vm, a[0].size * 3ull);
  const auto [code, width] = unicode::decode(a[0].text());
  std::string out;
  unicode::append_title(out, code);
  out += unicode::lower(a[0].text().substr(width));
  return vm.text(out, a[0].is_markup());
}

// Each run of letters: its first in title case, the rest in lower case.
Cell title(Vm& vm, const Cell* a, const Args&) {
  check_text_size(vm, a[0].size * 3ull);
  std::string out;
  bool inside = false;
  const std::string_view text = a[0].text();
  for (std::size_t i = 0; i < text.size();) {
    const auto [code, width] = unicode::decode(text.substr(i));
    if (inside)
      unicode::append_lower(out, code);
    else
      unicode::append_title(out, code);
    inside = unicode::is_cased(code);
    i += width;
  }
  return vm.text(out, a[0].is_markup());
}

Cell swapcase(Vm& vm, const Cell* a, const Args&) {
  check_text_size(vm, a[0].size * 3ull);
  std::string out;
  const std::string_view text = a[0].text();
  for (std::size_t i = 0; i < text.size();) {
    const auto [code, width] = unicode::decode(text.substr(i));
    if (unicode::is_upper(code))
      unicode::append_lower(out, code);
    else if (unicode::is_lower(code))
      unicode::append_upper(out, code);
    else
      unicode::append_utf8(out, code);
    i += width;
  }
  return vm.text(out, a[0].is_markup());
}

// --- questions ----------------------------------------------------------------------------------------------------

template <bool (*test)(std::uint32_t), bool when_empty = false>
Cell all(Vm& vm, const Cell* a, const Args&) {
  const std::string_view text = a[0].text();
  vm.tick(text.size() / 32);
  for (std::size_t i = 0; i < text.size();) {
    const auto [code, width] = unicode::decode(text.substr(i));
    if (!test(code)) return Cell::of(false);
    i += width;
  }
  return Cell::of(!text.empty() || when_empty);
}

bool is_ascii(std::uint32_t code) { return code < 0x80; }

template <bool (*wanted)(std::uint32_t), bool (*other)(std::uint32_t)>
Cell cased(Vm& vm, const Cell* a, const Args&) {
  bool any = false;
  const std::string_view text = a[0].text();
  vm.tick(text.size() / 32);
  for (std::size_t i = 0; i < text.size();) {
    const auto [code, width] = unicode::decode(text.substr(i));
    if (other(code) || unicode::is_title(code)) return Cell::of(false);
    any = any || wanted(code);
    i += width;
  }
  return Cell::of(any);
}

Cell istitle(Vm&, const Cell* a, const Args&) {
  bool any = false, inside = false;
  const std::string_view text = a[0].text();
  for (std::size_t i = 0; i < text.size();) {
    const auto [code, width] = unicode::decode(text.substr(i));
    if (unicode::is_upper(code) || unicode::is_title(code)) {
      if (inside) return Cell::of(false);
      inside = any = true;
    } else if (unicode::is_lower(code)) {
      if (!inside) return Cell::of(false);
    } else {
      inside = false;
    }
    i += width;
  }
  return Cell::of(any);
}

Cell isidentifier(Vm&, const Cell* a, const Args&) {
  const std::string_view text = a[0].text();
  if (text.empty() || unicode::is_numeric(unicode::decode(text).code)) return Cell::of(false);
  std::size_t at = 0;
  while (const std::size_t width = unicode::word_width(text.substr(at))) at += width;
  return Cell::of(at == text.size());
}

// --- finding ------------------------------------------------------------------------------------------------------

struct Window {
  std::string_view text;
  std::int64_t start;  ///< in characters
  bool valid;
};

Window window(Vm& vm, Cell self, Cell start, Cell stop) {
  const auto size = *length_of(vm, self);
  std::int64_t from = given_value(start) ? index(vm, start) : 0;
  std::int64_t to = given_value(stop) ? index(vm, stop) : size;
  if (from < 0) from = std::max<std::int64_t>(0, from + size);
  if (to < 0) to = std::max<std::int64_t>(0, to + size);
  to = std::min(to, size);
  if (from > to) return {{}, from, false};
  const std::size_t first = unicode::offset(self.text(), static_cast<std::size_t>(from));
  const std::string_view rest = self.text().substr(first);
  return {rest.substr(0, unicode::offset(rest, static_cast<std::size_t>(to - from))), from, true};
}

std::int64_t position(Vm& vm, const Cell* a, bool from_right) {
  const std::string_view wanted = text_argument(vm, a[1], "argument");
  const Window where = window(vm, a[0], a[2], a[3]);
  vm.tick(a[0].size / 32);
  if (!where.valid) return -1;
  const std::size_t at = from_right ? find_last_in(vm, where.text, wanted) : find_in(vm, where.text, wanted);
  if (at == std::string_view::npos) return -1;
  return where.start + static_cast<std::int64_t>(unicode::length(where.text.substr(0, at)));
}

Cell find_text(Vm& vm, const Cell* a, const Args&) { return Cell::of(position(vm, a, false)); }
Cell rfind(Vm& vm, const Cell* a, const Args&) { return Cell::of(position(vm, a, true)); }
template <bool from_right>
Cell index_text(Vm& vm, const Cell* a, const Args&) {
  const std::int64_t at = position(vm, a, from_right);
  if (at < 0) vm.value_error("substring not found");
  return Cell::of(at);
}

Cell count(Vm& vm, const Cell* a, const Args&) {
  const std::string_view wanted = text_argument(vm, a[1], "argument");
  const Window where = window(vm, a[0], a[2], a[3]);
  vm.tick(a[0].size / 32);
  if (!where.valid) return Cell::of(std::int64_t{0});
  if (wanted.empty()) return Cell::of(static_cast<std::int64_t>(unicode::length(where.text)) + 1);
  std::int64_t found = 0;
  for (std::size_t at = 0; (at = find_in(vm, where.text, wanted, at)) != std::string_view::npos; at += wanted.size())
    ++found;
  return Cell::of(found);
}

template <bool at_start>
Cell starts_or_ends(Vm& vm, const Cell* a, const Args&) {
  const Window where = window(vm, a[0], a[2], a[3]);
  const auto matches = [&](Cell affix) {
    const std::string_view text = text_argument(vm, affix, "the prefix or suffix");
    return where.valid && (at_start ? where.text.starts_with(text) : where.text.ends_with(text));
  };
  if (!a[1].is(Kind::tuple)) return Cell::of(matches(a[1]));
  Walk walk(vm, a[1]);
  for (Cell each; walk.next(vm, each);)
    if (matches(each)) return Cell::of(true);
  return Cell::of(false);
}

// --- cutting ------------------------------------------------------------------------------------------------------

template <bool left, bool right>
Cell strip(Vm& vm, const Cell* a, const Args&) {
  return piece(a[0], strip_text(vm, a[0].text(), a[1], left, right));
}

Cell removeprefix(Vm& vm, const Cell* a, const Args&) {
  const std::string_view prefix = text_argument(vm, a[1], "prefix");
  return a[0].text().starts_with(prefix) ? piece(a[0], a[0].text().substr(prefix.size())) : a[0];
}

Cell removesuffix(Vm& vm, const Cell* a, const Args&) {
  const std::string_view suffix = text_argument(vm, a[1], "suffix");
  return a[0].text().ends_with(suffix) ? piece(a[0], a[0].text().substr(0, a[0].size - suffix.size())) : a[0];
}

// Words between white space, at most `most` cuts.
void split_words(Vm& vm, Cell self, std::int64_t most, bool from_right, std::vector<std::string_view>& parts) {
  std::string_view rest = self.text();
  rest = from_right ? unicode::strip_right(rest) : unicode::strip_left(rest);
  while (!rest.empty()) {
    vm.tick();
    if (most-- == 0) {
      parts.push_back(rest);
      return;
    }
    if (!from_right) {
      std::size_t end = 0;
      while (end < rest.size() && unicode::space_width(rest.substr(end)) == 0)
        end += unicode::decode(rest.substr(end)).width;
      parts.push_back(rest.substr(0, end));
      rest = unicode::strip_left(rest.substr(end));
      continue;
    }
    std::size_t start = rest.size();
    while (start > 0) {
      std::size_t before = start - 1;
      while (before > 0 && (static_cast<unsigned char>(rest[before]) & 0xC0) == 0x80) --before;
      if (unicode::space_width(rest.substr(before)) != 0) break;
      start = before;
    }
    parts.push_back(rest.substr(start));
    rest = unicode::strip_right(rest.substr(0, start));
  }
}

template <bool from_right>
Cell split(Vm& vm, const Cell* a, const Args&) {
  std::int64_t most = integer_or(vm, a[2], -1);
  if (most < 0) most = std::numeric_limits<std::int64_t>::max();
  std::vector<std::string_view> parts;
  if (!given_value(a[1])) {
    split_words(vm, a[0], most, from_right, parts);
  } else {
    const std::string_view separator = text_argument(vm, a[1], "separator");
    if (separator.empty()) vm.value_error("empty separator");
    std::string_view rest = a[0].text();
    for (; most > 0; --most) {
      vm.tick();
      const std::size_t at = from_right ? find_last_in(vm, rest, separator) : find_in(vm, rest, separator);
      if (at == std::string_view::npos) break;
      parts.push_back(from_right ? rest.substr(at + separator.size()) : rest.substr(0, at));
      rest = from_right ? rest.substr(0, at) : rest.substr(at + separator.size());
    }
    parts.push_back(rest);
  }
  if (from_right) std::reverse(parts.begin(), parts.end());
  vm.arena.charge(parts.size() * sizeof(std::string_view));
  const Cell made = vm.list(static_cast<std::uint32_t>(parts.size()));
  for (const std::string_view part : parts) vm.append(*made.as<List>(), piece(a[0], part));
  return made;
}

Cell splitlines(Vm& vm, const Cell* a, const Args&) {
  const auto lines = split_lines(a[0].text(), truth_or(vm, a[1], false));
  vm.tick(lines.size() + a[0].size / 16);
  const Cell made = vm.list(static_cast<std::uint32_t>(lines.size()));
  for (const std::string_view line : lines) vm.append(*made.as<List>(), piece(a[0], line));
  return made;
}

template <bool from_right>
Cell partition(Vm& vm, const Cell* a, const Args&) {
  const std::string_view separator = text_argument(vm, a[1], "separator");
  if (separator.empty()) vm.value_error("empty separator");
  const std::string_view text = a[0].text();
  const std::size_t at = from_right ? find_last_in(vm, text, separator) : find_in(vm, text, separator);
  const Cell none = piece(a[0], "");
  if (at == std::string_view::npos)
    return from_right ? make_tuple(vm, {none, none, a[0]}) : make_tuple(vm, {a[0], none, none});
  return make_tuple(
      vm, {piece(a[0], text.substr(0, at)), piece(a[0], separator), piece(a[0], text.substr(at + separator.size()))});
}

// --- making -------------------------------------------------------------------------------------------------------

Cell join(Vm& vm, const Cell* a, const Args&) {
  Walk walk(vm, a[1]);
  Capture capture(vm);
  std::int64_t at = 0;
  for (Cell item; walk.next(vm, item); ++at) {
    vm.tick();
    if (at > 0) vm.out.append(a[0].text());
    if (a[0].is_markup()) {
      vm.out.append(escaped(vm, item).text());
      continue;
    }
    if (item.is(Kind::undefined))
      vm.type_error("sequence item " + std::to_string(at) + ": expected str instance, Undefined found");
    if (!item.is_text())
      vm.type_error("sequence item " + std::to_string(at) + ": expected str instance, " + type_name(item) + " found");
    vm.out.append(item.text());
  }
  return capture.finish(a[0].is_markup());
}

Cell replace(Vm& vm, const Cell* a, const Args&) {
  const std::string_view from = argument(vm, a[0], a[1], "replace() argument 1"),
                         to = argument(vm, a[0], a[2], "replace() argument 2");
  return replace_text(vm, a[0], from, to, integer_or(vm, a[3], -1));
}

std::string_view fill_character(Vm& vm, Cell given_fill) {
  if (!given(given_fill)) return " ";
  const std::string_view fill = text_argument(vm, given_fill, "The fill character");
  if (unicode::length(fill) != 1) vm.type_error("The fill character must be exactly one character long");
  return fill;
}

enum class Side { left, right, both };
template <Side side>
Cell justify(Vm& vm, const Cell* a, const Args&) {
  const std::int64_t width = index(vm, a[1]);
  const std::string_view fill = fill_character(vm, a[2]);
  const std::int64_t padding = padding_to(width, *length_of(vm, a[0]));
  const std::int64_t left = side == Side::right  ? padding
                            : side == Side::left ? 0
                                                 : padding / 2 + (padding & width & 1);
  return repeated_padding(vm, a[0].text(), left, padding - left, fill, a[0].is_markup());
}

Cell zfill(Vm& vm, const Cell* a, const Args&) {
  const std::int64_t padding = padding_to(index(vm, a[1]), *length_of(vm, a[0]));
  std::string_view text = a[0].text();
  const bool sign = padding > 0 && (text.starts_with('-') || text.starts_with('+'));
  if (!sign) return repeated_padding(vm, text, padding, 0, "0", a[0].is_markup());
  const Cell digits = repeated_padding(vm, text.substr(1), padding, 0, "0", a[0].is_markup());
  return concatenate(vm, piece(a[0], text.substr(0, 1)), digits);
}

Cell expandtabs(Vm& vm, const Cell* a, const Args&) {
  const std::int64_t size = integer_or(vm, a[1], 8);
  if (size > 1'000'000) vm.limit_error("the text is longer than its limit allows");
  Capture capture(vm);
  std::int64_t column = 0;
  const std::string_view text = a[0].text();
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t width = unicode::decode(text.substr(i)).width;
    if (text[i] == '\t') {
      if (size > 0) {
        const std::int64_t spaces = size - column % size;
        column += spaces;
        vm.out.fill(static_cast<std::size_t>(spaces), ' ');
      }
    } else {
      vm.out.append(text.substr(i, width));
      column = text[i] == '\n' || text[i] == '\r' ? 0 : column + 1;
    }
    i += width;
  }
  return capture.finish(a[0].is_markup());
}

Cell format(Vm& vm, const Cell* a, const Args& rest) { return format_braces(vm, a[0], rest); }

// There are no bytes and no translation tables in JSON data: these exist, and say so when they are called.
Cell not_here(Vm& vm, const Cell*, const Args&) { vm.value_error("this method of text is not supported"); }

Cell format_map(Vm& vm, const Cell* a, const Args&) {
  if (!a[1].is_dict()) vm.type_error("format_map() takes a mapping, not " + type_name(a[1]));
  std::vector<Named> named;
  Entries entries(vm, a[1]);
  for (Cell key, value; entries.next(vm, key, value);)
    if (key.is_text()) named.push_back({key.text(), value});
  return format_braces(vm, a[0], {nullptr, 0, named.data(), static_cast<std::uint32_t>(named.size())});
}

constexpr FunctionSpec kTable[] = {
    {"capitalize", capitalize},
    {"casefold", casefold},
    {"center", justify<Side::both>, "/width,/fillchar", 1},
    {"count", count, "/sub,/start,/end", 1},
    {"encode", not_here, "encoding,errors"},
    {"endswith", starts_or_ends<false>, "/suffix,/start,/end", 1},
    {"expandtabs", expandtabs, "tabsize"},
    {"find", find_text, "/sub,/start,/end", 1},
    {"format", format, "", 0, true, true},
    {"format_map", format_map, "/mapping", 1},
    {"index", index_text<false>, "/sub,/start,/end", 1},
    {"isalnum", all<unicode::is_alnum>},
    {"isalpha", all<unicode::is_alpha>},
    {"isascii", all<is_ascii, true>},
    {"isdecimal", all<unicode::is_decimal>},
    {"isdigit", all<unicode::is_digit>},
    {"isidentifier", isidentifier},
    {"islower", cased<unicode::is_lower, unicode::is_upper>},
    {"isnumeric", all<unicode::is_numeric>},
    {"isprintable", all<unicode::is_printable, true>},
    {"isspace", all<unicode::is_space>},
    {"istitle", istitle},
    {"isupper", cased<unicode::is_upper, unicode::is_lower>},
    {"join", join, "/iterable", 1},
    {"ljust", justify<Side::left>, "/width,/fillchar", 1},
    {"lower", lower},
    {"lstrip", strip<true, false>, "/chars"},
    {"maketrans", not_here, "/x,/y,/z"},
    {"partition", partition<false>, "/sep", 1},
    {"removeprefix", removeprefix, "/prefix", 1},
    {"removesuffix", removesuffix, "/suffix", 1},
    {"replace", replace, "/old,/new,/count", 2},
    {"rfind", rfind, "/sub,/start,/end", 1},
    {"rindex", index_text<true>, "/sub,/start,/end", 1},
    {"rjust", justify<Side::right>, "/width,/fillchar", 1},
    {"rpartition", partition<true>, "/sep", 1},
    {"rsplit", split<true>, "sep,maxsplit"},
    {"rstrip", strip<false, true>, "/chars"},
    {"split", split<false>, "sep,maxsplit"},
    {"splitlines", splitlines, "keepends"},
    {"startswith", starts_or_ends<true>, "/prefix,/start,/end", 1},
    {"strip", strip<true, true>, "/chars"},
    {"swapcase", swapcase},
    {"title", title},
    {"translate", not_here, "/table"},
    {"upper", upper},
    {"zfill", zfill, "/width", 1},
};

}  // namespace

std::span<const FunctionSpec> text_methods() { return kTable; }

}  // namespace mapflow::jinja::detail
