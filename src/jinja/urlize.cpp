#include "jinja/urlize.h"

#include <algorithm>

#include <re2/re2.h>

#include "jinja/unicode.h"

namespace mapflow::jinja::detail {

namespace {

// \w of Python, for texts of any script.
#define JINJA_WORD "[\\pL\\pM\\pN_]"

bool is_label_part(std::string_view text) { return text[0] == '%' || text[0] == '-' || unicode::word_width(text) != 0; }

// Letters, digits, '_', '%' and '-', at least `least` and at most `most` characters of them, and nothing else.
bool is_label(std::string_view text, std::size_t least, std::size_t most) {
  std::size_t count = 0;
  while (!text.empty()) {
    if (!is_label_part(text)) return false;
    text.remove_prefix(unicode::decode(text).width);
    ++count;
  }
  return count >= least && count <= most;
}

bool is_top_level(std::string_view name) {
  const auto letter = [](char c) { return (c | 0x20) >= 'a' && (c | 0x20) <= 'z'; };
  if (name.size() >= 2 && name.size() <= 63 && std::all_of(name.begin(), name.end(), letter)) return true;
  return unicode::lower(name).starts_with("xn--") && is_label(name.substr(4), 2, 59) &&
         name.substr(4).find('-') == std::string_view::npos;
}

// Labels before the last dot, each long enough, and what stands behind that dot.
bool has_labels(std::string_view host, std::size_t least, std::size_t most, std::string_view& last) {
  for (std::size_t dot = 0; (dot = host.find('.')) != std::string_view::npos; host.remove_prefix(dot + 1))
    if (!is_label(host.substr(0, dot), least, most)) return false;
  last = host;
  return true;
}

bool is_address(std::string_view host) {
  static const RE2 pattern(
      "(?i)(?:[0-9]{1,3}(?:\\.[0-9]{1,3}){3}|\\[(?:[0-9a-f]{0,4}:){2}(?:[0-9a-f]{0,4}:?){1,6}\\])");
  return RE2::FullMatch({host.data(), host.size()}, pattern);
}

// What may follow a host: a port, then a path, query or fragment.
bool is_host_tail(std::string_view tail) {
  if (tail.starts_with(':')) {
    std::size_t end = 1;
    while (end < tail.size() && tail[end] >= '0' && tail[end] <= '9') ++end;
    if (end == 1 || end > 6) return false;
    tail.remove_prefix(end);
  }
  return tail.empty() || tail[0] == '/' || tail[0] == '?' || tail[0] == '#';
}

// Whether a word is an address of the web: with a scheme, with www, or with one of the first top-level domains.
bool is_http(std::string_view word) {
  const std::string low = unicode::lower(word.substr(0, 8));
  const std::size_t scheme = low.starts_with("https://") ? 8 : low.starts_with("http://") ? 7 : 0;
  const bool www = scheme == 0 && low.starts_with("www.");
  const std::string_view rest = word.substr(scheme ? scheme : www ? 4 : 0);
  const std::size_t bracket = rest.starts_with('[') ? rest.find(']') : std::string_view::npos;
  const std::size_t end =
      std::min(bracket != std::string_view::npos ? bracket + 1 : rest.find_first_of(":/?#"), rest.size());
  const std::string_view host = rest.substr(0, end);
  if (!is_host_tail(rest.substr(end))) return false;
  std::string_view last;
  if ((scheme || www) && has_labels(host, 1, std::string_view::npos, last) && is_top_level(last)) return true;
  if (scheme && is_address(host)) return true;
  static constexpr std::string_view first_domains[] = {"com", "net", "int", "edu", "gov", "org", "info", "mil"};
  if (scheme || !has_labels(word.substr(0, word.find_first_of(":/?#")), 2, 63, last) || last.size() == word.size())
    return false;
  return std::find(std::begin(first_domains), std::end(first_domains), unicode::lower(last)) != std::end(first_domains);
}

const RE2& email_pattern() {
  static const RE2 pattern("\\S+@" JINJA_WORD "(?:" JINJA_WORD "|[.-])*\\." JINJA_WORD "+");
  return pattern;
}

bool is_email(std::string_view text) { return RE2::FullMatch({text.data(), text.size()}, email_pattern()); }

std::size_t occurrences(std::string_view text, std::string_view wanted) {
  std::size_t count = 0;
  for (std::size_t at = 0; (at = text.find(wanted, at)) != std::string_view::npos; at += wanted.size()) ++count;
  return count;
}

std::string link(std::string_view middle, const UrlizeOptions& options) {
  const std::string rel = options.rel.empty() ? "" : " rel=\"" + options.rel + "\"";
  const std::string target = options.target.empty() ? "" : " target=\"" + options.target + "\"";
  const std::string text(middle);
  if (is_http(text)) {
    std::string shown = text;
    if (options.trim >= 0 && static_cast<std::int64_t>(unicode::length(text)) > options.trim)
      shown = text.substr(0, unicode::offset(text, static_cast<std::size_t>(options.trim))) + "...";
    const bool has_scheme = text.starts_with("https://") || text.starts_with("http://");
    return "<a href=\"" + (has_scheme ? "" : std::string("https://")) + text + "\"" + rel + target + ">" + shown +
           "</a>";
  }
  if (text.starts_with("mailto:") && is_email(middle.substr(7)))
    return "<a href=\"" + text + "\">" + text.substr(7) + "</a>";
  if (text.find('@') != std::string::npos && !text.starts_with("www.") && !text.starts_with('@') &&
      text.find(':') == std::string::npos && is_email(text))
    return "<a href=\"mailto:" + text + "\">" + text + "</a>";
  std::string made = text;
  for (const std::string& scheme : options.schemes)
    if (made != scheme && made.starts_with(scheme))
      made = "<a href=\"" + made + "\"" + rel + target + ">" + made + "</a>";
  return made;
}

std::string linked_word(std::string_view word, const UrlizeOptions& options) {
  static constexpr std::string_view openers[] = {"(", "<", "&lt;"}, closers[] = {")", ">", ".", ",", "\n", "&gt;"};
  std::string_view middle = word;
  std::size_t head = 0;
  for (bool again = true; again;) {
    again = false;
    for (const std::string_view open : openers)
      if (middle.substr(head).starts_with(open)) {
        head += open.size();
        again = true;
        break;
      }
  }
  middle.remove_prefix(head);
  std::size_t tail_at = middle.size();
  for (bool again = true; again;) {
    again = false;
    for (const std::string_view close : closers)
      if (middle.substr(0, tail_at).ends_with(close)) {
        tail_at -= close.size();
        again = true;
        break;
      }
  }
  // An address may end in a bracket that it opened itself.
  static constexpr std::pair<std::string_view, std::string_view> pairs[] = {{"(", ")"}, {"<", ">"}, {"&lt;", "&gt;"}};
  for (const auto& [open, close] : pairs) {
    const std::size_t opened = occurrences(middle.substr(0, tail_at), open);
    if (opened <= occurrences(middle.substr(0, tail_at), close)) continue;
    for (std::size_t i = std::min(opened, occurrences(middle.substr(tail_at), close)); i > 0; --i)
      tail_at = middle.find(close, tail_at) + close.size();
  }
  return std::string(word.substr(0, head)) + link(middle.substr(0, tail_at), options) +
         std::string(middle.substr(tail_at));
}

}  // namespace

bool is_scheme_prefix(std::string_view text) {
  static const RE2 pattern("(?:" JINJA_WORD "|[.+-]){2,}:/{0,2}");
  return RE2::FullMatch({text.data(), text.size()}, pattern);
}

std::string linked(std::string_view text, const UrlizeOptions& options) {
  std::string out;
  while (!text.empty()) {
    std::size_t end = 0;
    if (unicode::space_width(text)) {
      while (const std::size_t width = unicode::space_width(text.substr(end))) end += width;
      out += text.substr(0, end);
    } else {
      while (end < text.size() && !unicode::space_width(text.substr(end)))
        end += unicode::decode(text.substr(end)).width;
      out += linked_word(text.substr(0, end), options);
    }
    text.remove_prefix(end);
  }
  return out;
}

}  // namespace mapflow::jinja::detail
