// Filters for HTML and URLs.
#include <algorithm>
#include <charconv>

#include "jinja/builtins.h"
#include "jinja/environment_state.h"
#include "jinja/unicode.h"
#include "jinja/urlize.h"

namespace mapflow::jinja::detail {

namespace {

Cell escape(Vm& vm, const Cell* a, const Args&) { return escaped(vm, a[0]); }

Cell forceescape(Vm& vm, const Cell* a, const Args&) { return escaped(vm, Cell::borrowed(soft(vm, a[0]))); }

Cell safe(Vm& vm, const Cell* a, const Args&) { return Cell::borrowed(soft(vm, a[0]), true); }

// An entity such as &amp; or &#39; at the start of `text`; its width, or 0.
std::size_t entity(std::string_view text, std::string& out) {
  static constexpr std::pair<std::string_view, std::string_view> names[] = {{"amp", "&"},
                                                                            {"lt", "<"},
                                                                            {"gt", ">"},
                                                                            {"quot", "\""},
                                                                            {"apos", "'"},
                                                                            {"nbsp", "\xC2\xA0"},
                                                                            {"copy", "\xC2\xA9"},
                                                                            {"reg", "\xC2\xAE"},
                                                                            {"euro", "\xE2\x82\xAC"},
                                                                            {"hellip", "\xE2\x80\xA6"},
                                                                            {"mdash", "\xE2\x80\x94"},
                                                                            {"ndash", "\xE2\x80\x93"},
                                                                            {"laquo", "\xC2\xAB"},
                                                                            {"raquo", "\xC2\xBB"},
                                                                            {"trade", "\xE2\x84\xA2"},
                                                                            {"middot", "\xC2\xB7"},
                                                                            {"deg", "\xC2\xB0"},
                                                                            {"times", "\xC3\x97"},
                                                                            {"auml", "\xC3\xA4"},
                                                                            {"ouml", "\xC3\xB6"},
                                                                            {"uuml", "\xC3\xBC"},
                                                                            {"szlig", "\xC3\x9F"},
                                                                            {"eacute", "\xC3\xA9"}};
  const std::size_t end = text.substr(0, 34).find(';');
  if (end == std::string_view::npos || end < 2) return 0;
  std::string_view name = text.substr(1, end - 1);
  if (name.starts_with('#')) {
    const bool hex = name.size() > 1 && (name[1] | 0x20) == 'x';
    name.remove_prefix(hex ? 2 : 1);
    std::uint32_t code = 0;
    const auto [stop, error] = std::from_chars(name.data(), name.data() + name.size(), code, hex ? 16 : 10);
    if (error != std::errc() || stop != name.data() + name.size() || code > 0x10FFFF) return 0;
    unicode::append_utf8(out, code);
    return end + 1;
  }
  for (const auto& [known, text_of] : names)
    if (known == name) {
      out += text_of;
      return end + 1;
    }
  return 0;
}

Cell striptags(Vm& vm, const Cell* a, const Args&) {
  std::string text(soft(vm, a[0]));
  vm.tick(text.size() / 4);
  // Comments first, then tags, each from its start to the next end.
  const auto cut = [&](std::string_view open, std::string_view close) {
    std::string kept;
    std::size_t at = 0;
    for (std::size_t start = 0; (start = text.find(open, at)) != std::string::npos;) {
      const std::size_t end = text.find(close, start);
      if (end == std::string::npos) break;
      kept.append(text, at, start - at);
      at = end + close.size();
    }
    kept.append(text, at);
    text = std::move(kept);
  };
  cut("<!--", "-->");
  cut("<", ">");
  std::string spaced;
  bool gap = false;
  for (std::size_t i = 0; i < text.size();) {
    const std::string_view rest = std::string_view(text).substr(i);
    if (const std::size_t width = unicode::space_width(rest)) {
      gap = !spaced.empty();
      i += width;
      continue;
    }
    if (gap) spaced += ' ';
    gap = false;
    const std::size_t width = unicode::decode(rest).width;
    spaced += rest.substr(0, width);
    i += width;
  }
  std::string out;
  for (std::size_t i = 0; i < spaced.size();) {
    const std::size_t width = spaced[i] == '&' ? entity(std::string_view(spaced).substr(i), out) : 0;
    if (width == 0) out += spaced[i];
    i += width ? width : 1;
  }
  return vm.text(out);
}

void quote(Sink& out, std::string_view text, bool query) {
  static constexpr char digits[] = "0123456789ABCDEF";
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
                       c == '.' || c == '-' || c == '~' || (c == '/' && !query);
    if (plain) {
      out.push(c);
    } else if (c == ' ' && query) {
      out.push('+');
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out.push('%');
      out.push(digits[byte >> 4]);
      out.push(digits[byte & 15]);
    }
  }
}

Cell urlencode(Vm& vm, const Cell* a, const Args&) {
  Capture capture(vm);
  if (a[0].is_text() || !is_iterable(a[0])) {
    const Cell text = to_text(vm, a[0]);
    quote(vm.out, text.text(), false);
    return capture.finish();
  }
  bool first = true;
  const auto pair = [&](Cell key, Cell value) {
    if (!first) vm.out.push('&');
    first = false;
    const Cell name = to_text(vm, key), content = to_text(vm, value);
    quote(vm.out, name.text(), true);
    vm.out.push('=');
    quote(vm.out, content.text(), true);
  };
  if (a[0].is_dict()) {
    Entries entries(vm, a[0]);
    for (Cell key, value; entries.next(vm, key, value);) pair(key, value);
  } else {
    Walk walk(vm, a[0]);
    for (Cell item; walk.next(vm, item);) {
      const Cell both = to_list(vm, item);
      if (both.as<List>()->size != 2) vm.value_error("urlencode needs pairs");
      pair(both.as<List>()->items[0], both.as<List>()->items[1]);
    }
  }
  return capture.finish();
}

Cell xmlattr(Vm& vm, const Cell* a, const Args&) {
  if (a[0].is(Kind::undefined)) vm.fail_undefined(a[0]);
  if (!a[0].is_dict()) vm.value_error("xmlattr needs a dict, not " + type_name(a[0]));
  Capture capture(vm);
  bool first = true;
  const bool space = truth_or(vm, a[1], true);
  Entries entries(vm, a[0]);
  for (Cell key, value; entries.next(vm, key, value);) {
    if (value.is(Kind::none) || value.is(Kind::undefined)) continue;
    const std::string_view name = text_argument(vm, key, "attribute name");
    if (name.find_first_of(" \t\n\r\f\v/>=") != std::string_view::npos)
      vm.value_error("Invalid character in attribute name: " + summary(vm, key));
    if (!first || space) vm.out.push(' ');
    first = false;
    const Cell safe_name = escaped(vm, key), safe_value = escaped(vm, value);
    vm.out.append(safe_name.text());
    vm.out.append(std::string_view("=\""));
    vm.out.append(safe_value.text());
    vm.out.push('"');
  }
  return capture.finish(vm.autoescape);
}

Cell urlize(Vm& vm, const Cell* a, const Args&) {
  UrlizeOptions options;
  if (given_value(a[1])) options.trim = index(vm, a[1]);
  std::vector<std::string> rel;
  const auto add = [&](std::string_view word) {
    if (!word.empty() && std::find(rel.begin(), rel.end(), word) == rel.end()) rel.emplace_back(word);
  };
  if (truth_or(vm, a[2], false)) add("nofollow");
  add("noopener");
  if (given_value(a[4])) {
    std::string_view words = text_argument(vm, a[4], "rel");
    while (!(words = unicode::strip_left(words)).empty()) {
      const std::size_t end = std::min(words.find_first_of(" \t\n\r\f\v"), words.size());
      add(words.substr(0, end));
      words.remove_prefix(end);
    }
  }
  std::sort(rel.begin(), rel.end());
  for (const std::string& word : rel) options.rel += (options.rel.empty() ? "" : " ") + word;
  if (given_value(a[3])) options.target = text_argument(vm, a[3], "target");
  if (given_value(a[5])) {
    Walk walk(vm, a[5]);
    for (Cell scheme; walk.next(vm, scheme);) {
      const std::string_view text = text_argument(vm, scheme, "scheme");
      if (!is_scheme_prefix(text)) vm.value_error(summary(vm, scheme) + " is not a valid URI scheme prefix.");
      options.schemes.emplace_back(text);
    }
  }
  const Cell safe_text = escaped(vm, a[0]);
  const Cell safe_rel = escaped(vm, Cell::borrowed(options.rel)),
             safe_target = escaped(vm, Cell::borrowed(options.target));
  options.rel = std::string(safe_rel.text());
  options.target = std::string(safe_target.text());
  check_text_size(vm, safe_text.size * 8ull);
  vm.tick(safe_text.size);
  return vm.text(linked(safe_text.text(), options), vm.autoescape);
}

constexpr FunctionSpec kTable[] = {
    {"e", escape},
    {"escape", escape},
    {"forceescape", forceescape},
    {"safe", safe},
    {"striptags", striptags},
    {"urlencode", urlencode},
    {"urlize", urlize, "trim_url_limit,nofollow,target,rel,extra_schemes"},
    {"xmlattr", xmlattr, "autospace"},
};

}  // namespace

std::span<const FunctionSpec> html_filters() { return kTable; }

}  // namespace mapflow::jinja::detail
