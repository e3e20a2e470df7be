#include "jinja/wrap.h"

#include <algorithm>

#include "jinja/unicode.h"

namespace mapflow::jinja::detail {

namespace {

using Characters = std::u32string;

bool is_blank(char32_t c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
bool is_word(char32_t c) { return c == '_' || unicode::is_alnum(c); }
bool is_letter(char32_t c) { return is_word(c) && !unicode::is_decimal(c); }
bool is_word_part(char32_t c) {
  return is_word(c) || (c < 0x80 && std::string_view("!\"'&.,?").find(static_cast<char>(c)) != std::string_view::npos);
}

// Hyphens from `at` on, when there are two or more with a word behind them; else 0.
std::size_t dash_length(const Characters& text, std::size_t at) {
  std::size_t end = at;
  while (end < text.size() && text[end] == '-') ++end;
  return end - at >= 2 && end < text.size() && is_word(text[end]) ? end - at : 0;
}

// Whether the hyphen at `at` may end a piece: between two letters' worth of word on both sides.
bool breaks_after_hyphen(const Characters& text, std::size_t at) {
  if (text[at] != '-') return false;
  const bool after_letters = at >= 2 && is_letter(text[at - 1]) && is_letter(text[at - 2]);
  const bool after_pair = at >= 3 && is_letter(text[at - 3]) && text[at - 2] == '-' && is_word_part(text[at - 1]);
  if (!after_letters && !after_pair) return false;
  if (at + 2 >= text.size() || !is_letter(text[at + 1])) return false;
  if (is_letter(text[at + 2])) return true;
  return text[at + 2] == '-' && at + 3 < text.size() && is_letter(text[at + 3]);
}

std::size_t piece_end(const Characters& text, std::size_t at, bool hyphens) {
  std::size_t end = at;
  if (is_blank(text[at])) {
    while (end < text.size() && is_blank(text[end])) ++end;
    return end;
  }
  if (hyphens && at > 0 && is_word_part(text[at - 1]))
    if (const std::size_t dash = dash_length(text, at)) return at + dash;
  for (end = at + 1; end < text.size() && !is_blank(text[end]); ++end) {
    if (!hyphens) continue;
    if (breaks_after_hyphen(text, end)) return end + 1;
    if (text[end] == '-' && is_word_part(text[end - 1]) && dash_length(text, end)) return end;
  }
  return end;
}

bool blank(std::u32string_view piece) {
  return std::all_of(piece.begin(), piece.end(), [](char32_t c) { return unicode::is_space(c); });
}

}  // namespace

std::vector<std::string> wrap(std::string_view line, const WrapOptions& options) {
  Characters text;
  for (std::size_t i = 0; i < line.size();) {
    const auto [code, width] = unicode::decode(line.substr(i));
    text += code;
    i += width;
  }
  std::vector<std::u32string_view> pieces;
  const std::u32string_view all = text;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = piece_end(text, at, options.break_on_hyphens);
    pieces.push_back(all.substr(at, end - at));
    at = end;
  }
  const auto width = static_cast<std::size_t>(options.width);
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < pieces.size();) {
    if (!lines.empty() && blank(pieces[at])) ++at;
    Characters now;
    std::size_t last = 0;  // where the last piece of the line starts
    while (at < pieces.size() && now.size() + pieces[at].size() <= width) {
      last = now.size();
      now += pieces[at++];
    }
    if (at < pieces.size() && pieces[at].size() > width) {
      std::u32string_view& piece = pieces[at];
      if (options.break_long_words) {
        std::size_t end = width - now.size();
        if (options.break_on_hyphens && piece.size() > end) {
          const std::size_t hyphen = end > 0 ? piece.rfind('-', end - 1) : std::u32string_view::npos;
          if (hyphen != std::u32string_view::npos && hyphen > 0 && piece.find_first_not_of('-') < hyphen)
            end = hyphen + 1;
        }
        last = now.size();
        now += piece.substr(0, end);
        piece.remove_prefix(end);
      } else if (now.empty()) {
        last = 0;
        now += pieces[at++];
      }
    }
    if (now.size() > last && blank(std::u32string_view(now).substr(last))) now.resize(last);
    if (now.empty()) continue;
    std::string out;
    for (const char32_t c : now) unicode::append_utf8(out, c);
    lines.push_back(std::move(out));
  }
  return lines;
}

}  // namespace mapflow::jinja::detail
