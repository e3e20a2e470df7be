#include "jinja/builtins.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>

#include "jinja/unicode.h"

namespace mapflow::jinja::detail {

std::string_view text_argument(Vm& vm, Cell argument, std::string_view what) {
  if (argument.is(Kind::undefined)) vm.fail_undefined(argument);
  if (!argument.is_text()) vm.type_error(std::string(what) + " must be str, not " + type_name(argument));
  check_opaque(vm, argument);
  return argument.text();
}

void check_text_size(Vm& vm, std::uint64_t bytes) {
  if (bytes > vm.limits.memory_bytes || bytes > std::numeric_limits<std::uint32_t>::max())
    vm.limit_error("the text is longer than its limit allows");
  vm.tick(bytes / 64);
}

Cell repeated_padding(Vm& vm, std::string_view text, std::int64_t left, std::int64_t right, std::string_view fill,
                      bool markup) {
  left = std::max<std::int64_t>(left, 0);
  right = std::max<std::int64_t>(right, 0);
  const auto limit = static_cast<std::int64_t>(
      std::min<std::size_t>(vm.limits.memory_bytes, std::numeric_limits<std::uint32_t>::max()));
  if (left > limit || right > limit) vm.limit_error("the text is longer than its limit allows");
  check_text_size(vm, text.size() + static_cast<std::uint64_t>(left + right) * fill.size());
  Capture capture(vm);
  for (std::int64_t i = 0; i < left; ++i) vm.out.append(fill);
  vm.out.append(text);
  for (std::int64_t i = 0; i < right; ++i) vm.out.append(fill);
  return capture.finish(markup);
}

// --- attributes ---------------------------------------------------------------------------------------------------

AttributePath::AttributePath(Vm& vm, Cell attribute, Cell otherwise) : otherwise_(otherwise) {
  if (!given_value(attribute)) return;
  const Cell steps = vm.list(1);
  steps_ = steps.as<List>();
  if (!attribute.is_text()) {
    vm.append(*steps_, attribute);
    return;
  }
  std::string_view rest = attribute.text();
  while (true) {
    const std::size_t dot = rest.find('.');
    const std::string_view step = rest.substr(0, dot);
    const bool digits =
        !step.empty() && std::all_of(step.begin(), step.end(), [](char c) { return c >= '0' && c <= '9'; });
    const Cell number = digits ? parse_integer(vm, step, 10) : Cell::unset();
    vm.append(*steps_, digits ? number : Cell::borrowed(step));
    if (dot == std::string_view::npos) break;
    rest.remove_prefix(dot + 1);
  }
}

Cell AttributePath::of(Vm& vm, Cell item) const {
  if (!steps_) return item;
  for (std::uint32_t i = 0; i < steps_->size; ++i) {
    vm.tick();
    item = get_item(vm, item, steps_->items[i]);
    if (item.is(Kind::undefined) && given_value(otherwise_)) item = otherwise_;
  }
  return item;
}

std::vector<AttributePath> attribute_paths(Vm& vm, Cell attribute) {
  std::vector<AttributePath> paths;
  if (!given_value(attribute) || !attribute.is_text()) {
    paths.emplace_back(vm, attribute);
    return paths;
  }
  std::string_view rest = attribute.text();
  while (true) {
    const std::size_t comma = rest.find(',');
    paths.emplace_back(vm, Cell::borrowed(rest.substr(0, comma)));
    if (comma == std::string_view::npos) return paths;
    rest.remove_prefix(comma + 1);
  }
}

Cell without_case(Vm& vm, Cell cell) { return cell.is_text() ? lower_text(vm, cell) : cell; }

// --- texts --------------------------------------------------------------------------------------------------------

Cell lower_text(Vm& vm, Cell cell) {
  const std::string_view text = soft(vm, cell);
  check_text_size(vm, text.size() * 3);
  const auto stays = [](char c) { return static_cast<unsigned char>(c) < 0x80 && !(c >= 'A' && c <= 'Z'); };
  if (cell.is_text() && std::all_of(text.begin(), text.end(), stays)) return cell;
  return vm.text(unicode::lower(text), cell.is_markup());
}

Cell upper_text(Vm& vm, Cell cell) {
  const std::string_view text = soft(vm, cell);
  check_text_size(vm, text.size() * 3);
  return vm.text(unicode::upper(text), cell.is_markup());
}

std::size_t find_in(Vm& vm, std::string_view text, std::string_view wanted, std::size_t from) {
  if (from > text.size()) return std::string_view::npos;
  if (wanted.empty()) return from;
  const char* const begin = text.data() + from;
  const void* found = wanted.size() == 1 ? std::memchr(begin, wanted.front(), text.size() - from)
                                         : ::memmem(begin, text.size() - from, wanted.data(), wanted.size());
  const std::size_t at =
      found ? static_cast<std::size_t>(static_cast<const char*>(found) - text.data()) : std::string_view::npos;
  vm.tick((std::min(at, text.size()) - from) / 32);
  return at;
}

std::size_t find_last_in(Vm& vm, std::string_view text, std::string_view wanted) {
  vm.tick(text.size() / 32 + text.size() / 1024 * wanted.size());
  return text.rfind(wanted);
}

Cell replace_text(Vm& vm, Cell source, std::string_view from, std::string_view to, std::int64_t count) {
  const std::string_view text = source.text();
  vm.tick(text.size() / 16);
  Capture capture(vm);
  if (count < 0) count = std::numeric_limits<std::int64_t>::max();
  std::size_t at = 0;
  if (from.empty()) {
    while (count-- > 0) {
      vm.out.append(to);
      if (at >= text.size()) break;
      const std::size_t width = unicode::decode(text.substr(at)).width;
      vm.out.append(text.substr(at, width));
      at += width;
    }
  } else {
    for (std::size_t found = 0; count > 0 && (found = find_in(vm, text, from, at)) != std::string_view::npos; --count) {
      vm.out.append(text.substr(at, found - at));
      vm.out.append(to);
      at = found + from.size();
    }
  }
  if (at < text.size()) vm.out.append(text.substr(at));
  return capture.finish(source.is_markup());
}

std::vector<std::string_view> split_lines(std::string_view text, bool keep_ends) {
  std::vector<std::string_view> lines;
  std::size_t from = 0;
  for (std::size_t i = 0; i < text.size();) {
    const auto c = static_cast<unsigned char>(text[i]);
    std::size_t width = 0;
    if (c == '\r')
      width = i + 1 < text.size() && text[i + 1] == '\n' ? 2 : 1;
    else if (c == '\n' || c == 0x0B || c == 0x0C || (c >= 0x1C && c <= 0x1E))
      width = 1;
    else if (c == 0xC2 && text.substr(i, 2) == "\xC2\x85")
      width = 2;
    else if (c == 0xE2 && (text.substr(i, 3) == "\xE2\x80\xA8" || text.substr(i, 3) == "\xE2\x80\xA9"))
      width = 3;
    if (width == 0) {
      ++i;
      continue;
    }
    lines.push_back(text.substr(from, i - from + (keep_ends ? width : 0)));
    i += width;
    from = i;
  }
  if (from < text.size()) lines.push_back(text.substr(from));
  return lines;
}

std::string_view strip_text(Vm& vm, std::string_view text, Cell characters, bool left, bool right) {
  if (!given_value(characters)) {
    if (left) text = unicode::strip_left(text);
    return right ? unicode::strip_right(text) : text;
  }
  const std::string_view set = text_argument(vm, characters, "strip arg");
  const auto in_set = [&](std::string_view one) {
    vm.tick(1 + set.size() / 32);
    for (std::size_t i = 0; i < set.size();) {
      const std::size_t width = unicode::decode(set.substr(i)).width;
      if (set.substr(i, width) == one) return true;
      i += width;
    }
    return false;
  };
  while (left && !text.empty()) {
    const std::size_t width = unicode::decode(text).width;
    if (!in_set(text.substr(0, width))) break;
    text.remove_prefix(width);
  }
  while (right && !text.empty()) {
    std::size_t start = text.size() - 1;
    while (start > 0 && (static_cast<unsigned char>(text[start]) & 0xC0) == 0x80) --start;
    if (!in_set(text.substr(start))) break;
    text.remove_suffix(text.size() - start);
  }
  return text;
}

// --- numbers ------------------------------------------------------------------------------------------------------

bool parse_float(std::string_view text, double& number) {
  text = unicode::strip(text);
  std::string digits;
  for (std::size_t i = 0; i < text.size();) {
    const auto [code, width] = unicode::decode(text.substr(i));
    const int value = unicode::decimal_value(code);
    if (code == '_') {
      const bool between = i > 0 && i + 1 < text.size() &&
                           unicode::decimal_value(static_cast<unsigned char>(text[i - 1])) >= 0 &&
                           unicode::decimal_value(static_cast<unsigned char>(text[i + 1])) >= 0;
      if (!between) return false;
    } else if (value >= 0) {
      digits += static_cast<char>('0' + value);
    } else {
      digits += text.substr(i, width);
    }
    i += width;
  }
  std::string_view rest = digits;
  const bool negative = rest.starts_with('-');
  if (rest.starts_with('-') || rest.starts_with('+')) rest.remove_prefix(1);
  std::string low = unicode::lower(rest);
  if (low == "inf" || low == "infinity") {
    number = negative ? -std::numeric_limits<double>::infinity() : std::numeric_limits<double>::infinity();
    return true;
  }
  if (low == "nan") {
    number = std::numeric_limits<double>::quiet_NaN();
    return true;
  }
  if (low.empty() || !(low[0] == '.' || (low[0] >= '0' && low[0] <= '9'))) return false;
  const auto [end, error] = std::from_chars(low.data(), low.data() + low.size(), number);
  if (end != low.data() + low.size()) return false;
  if (error == std::errc::result_out_of_range) number = std::strtod(low.c_str(), nullptr);
  if (negative) number = -number;
  return true;
}

double round_to(double number, std::int64_t digits) {
  if (!std::isfinite(number) || number == 0) return number;
  if (digits > 323) return number;
  if (digits < -308) return std::copysign(0.0, number);
  if (digits < 0) {
    const double power = std::pow(10.0, static_cast<double>(-digits));
    return std::nearbyint(number / power) * power;
  }
  // The decimal digits of the double itself decide, so they are written out and read back.
  char buffer[720];
  const auto end =
      std::to_chars(buffer, buffer + sizeof buffer, number, std::chars_format::fixed, static_cast<int>(digits)).ptr;
  double rounded = number;
  std::from_chars(buffer, end, rounded);
  return rounded;
}

}  // namespace mapflow::jinja::detail
