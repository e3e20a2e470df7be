#include "jinja/unicode.h"

#include <algorithm>
#include <iterator>

#include "jinja/unicode_tables.h"

namespace mapflow::jinja::detail::unicode {

namespace {

bool in_spans(const Span* spans, std::size_t count, std::uint32_t code) {
  const Span* found =
      std::upper_bound(spans, spans + count, code, [](std::uint32_t c, const Span& s) { return c < s.first; });
  return found != spans && code <= (found - 1)->last;
}

struct CaseTable {
  const CaseRun* runs;
  std::size_t run_count;
  const CaseText* texts;
  std::size_t text_count;

  void append(std::string& out, std::uint32_t code) const {
    const CaseText* text = std::lower_bound(texts, texts + text_count, code,
                                            [](const CaseText& t, std::uint32_t c) { return t.code < c; });
    if (text != texts + text_count && text->code == code) {
      out += text->text;
      return;
    }
    const CaseRun* run =
        std::upper_bound(runs, runs + run_count, code, [](std::uint32_t c, const CaseRun& r) { return c < r.first; });
    // Runs with a step of two interleave at most one deep, so the two before the place are all that can hold it.
    for (int back = 0; back < 2 && run != runs; ++back) {
      --run;
      if (code <= run->last && (code - run->first) % run->step == 0) {
        append_utf8(out, static_cast<std::uint32_t>(static_cast<std::int64_t>(code) + run->delta));
        return;
      }
    }
    append_utf8(out, code);
  }
};

CaseTable to_upper() { return {kToUpper, kToUpperCount, kToUpperLong, kToUpperLongCount}; }
CaseTable to_lower() { return {kToLower, kToLowerCount, kToLowerLong, kToLowerLongCount}; }
CaseTable to_title() { return {kToTitle, kToTitleCount, kToTitleLong, kToTitleLongCount}; }
CaseTable to_fold() { return {kToFold, kToFoldCount, kToFoldLong, kToFoldLongCount}; }

constexpr std::uint32_t kCapitalSigma = 0x3A3, kSigma = 0x3C3, kFinalSigma = 0x3C2;

bool ignored_by_case(std::uint32_t code) { return in_spans(kCaseIgnorable, kCaseIgnorableCount, code); }

// Whether a word goes on behind a capital sigma. `budget` bounds how far all calls for one text look together.
bool word_goes_on(std::string_view rest, std::size_t& budget) {
  while (!rest.empty() && budget > 0) {
    const auto [code, step] = decode(rest);
    if (!ignored_by_case(code)) return is_cased(code);
    rest.remove_prefix(step);
    --budget;
  }
  return false;
}

}  // namespace

Decoded decode(std::string_view text) {
  const auto byte = [&](std::size_t i) -> std::uint32_t { return static_cast<unsigned char>(text[i]); };
  const auto tail = [&](std::size_t i) { return i < text.size() && (byte(i) & 0xC0) == 0x80; };
  const std::uint32_t first = byte(0);
  if (first < 0x80) return {first, 1};
  if (first >= 0xC2 && first < 0xE0 && tail(1)) return {(first & 0x1F) << 6 | (byte(1) & 0x3F), 2};
  if (first >= 0xE0 && first < 0xF0 && tail(1) && tail(2)) {
    const std::uint32_t code = (first & 0x0F) << 12 | (byte(1) & 0x3F) << 6 | (byte(2) & 0x3F);
    if (code >= 0x800) return {code, 3};
  }
  if (first >= 0xF0 && first < 0xF5 && tail(1) && tail(2) && tail(3)) {
    const std::uint32_t code = (first & 7) << 18 | (byte(1) & 0x3F) << 12 | (byte(2) & 0x3F) << 6 | (byte(3) & 0x3F);
    if (code >= 0x10000 && code <= 0x10FFFF) return {code, 4};
  }
  return {0xDC00 + first, 1};
}

void append_utf8(std::string& out, std::uint32_t code) {
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xC0 | code >> 6);
    out += static_cast<char>(0x80 | (code & 0x3F));
  } else if (code >= 0xDC80 && code < 0xDD00) {
    out += static_cast<char>(code - 0xDC00);  // the byte that decode() could not read
  } else if (code < 0x10000) {
    out += static_cast<char>(0xE0 | code >> 12);
    out += static_cast<char>(0x80 | (code >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (code & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | code >> 18);
    out += static_cast<char>(0x80 | (code >> 12 & 0x3F));
    out += static_cast<char>(0x80 | (code >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (code & 0x3F));
  }
}

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

std::size_t length(std::string_view text) {
  if (is_ascii(text)) return text.size();
  std::size_t count = 0;
  for (std::size_t i = 0; i < text.size(); i += decode(text.substr(i)).width) ++count;
  return count;
}

std::size_t offset(std::string_view text, std::size_t index) {
  std::size_t at = 0;
  for (; index > 0 && at < text.size(); --index) at += decode(text.substr(at)).width;
  return at;
}

std::size_t space_width(std::string_view text) {
  if (text.empty()) return 0;
  const auto first = static_cast<unsigned char>(text[0]);
  if (first < 0x80) return is_space(first) ? 1 : 0;
  const auto [code, width] = decode(text);
  return is_space(code) ? width : 0;
}

std::size_t word_width(std::string_view text) {
  if (text.empty()) return 0;
  const char c = text[0];
  if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_') return 1;
  if (static_cast<unsigned char>(c) < 0x80) return 0;
  const auto [code, width] = decode(text);
  return is_alnum(code) ? width : 0;
}

std::string_view strip_left(std::string_view text) {
  while (const std::size_t width = space_width(text)) text.remove_prefix(width);
  return text;
}

std::string_view strip_right(std::string_view text) {
  while (!text.empty()) {
    std::size_t start = text.size() - 1;
    while (start > 0 && text.size() - start < 4 && (static_cast<unsigned char>(text[start]) & 0xC0) == 0x80) --start;
    if (space_width(text.substr(start)) != text.size() - start) break;
    text.remove_suffix(text.size() - start);
  }
  return text;
}

std::string_view strip(std::string_view text) { return strip_left(strip_right(text)); }

bool is_space(std::uint32_t c) {
  if (c < 0x80) return c == ' ' || (c >= 9 && c <= 13) || (c >= 0x1C && c <= 0x1F);
  return in_spans(kSpace, kSpaceCount, c);
}
bool is_alpha(std::uint32_t c) { return in_spans(kAlpha, kAlphaCount, c); }
bool is_decimal(std::uint32_t c) { return in_spans(kDecimal, kDecimalCount, c); }
bool is_digit(std::uint32_t c) { return in_spans(kDigit, kDigitCount, c); }
bool is_numeric(std::uint32_t c) { return in_spans(kNumeric, kNumericCount, c); }
bool is_alnum(std::uint32_t c) { return is_alpha(c) || is_numeric(c); }
bool is_upper(std::uint32_t c) { return in_spans(kUpper, kUpperCount, c); }
bool is_lower(std::uint32_t c) { return in_spans(kLower, kLowerCount, c); }
bool is_title(std::uint32_t c) { return in_spans(kTitle, kTitleCount, c); }
bool is_cased(std::uint32_t c) { return is_upper(c) || is_lower(c) || is_title(c); }
bool is_printable(std::uint32_t c) { return in_spans(kPrintable, kPrintableCount, c); }

int decimal_value(std::uint32_t code) {
  const Span* found = std::upper_bound(kDecimal, kDecimal + kDecimalCount, code,
                                       [](std::uint32_t c, const Span& s) { return c < s.first; });
  if (found == kDecimal || code > (found - 1)->last) return -1;
  return static_cast<int>((code - (found - 1)->first) % 10);
}

void append_upper(std::string& out, std::uint32_t code) { to_upper().append(out, code); }
void append_lower(std::string& out, std::uint32_t code) { to_lower().append(out, code); }
void append_title(std::string& out, std::uint32_t code) { to_title().append(out, code); }

std::string without_accents(std::uint32_t code) {
  const CaseText* found = std::lower_bound(kToAscii, kToAscii + kToAsciiCount, code,
                                           [](const CaseText& t, std::uint32_t c) { return t.code < c; });
  std::string out;
  if (found != kToAscii + kToAsciiCount && found->code == code)
    out = found->text;
  else
    append_utf8(out, code);
  return out;
}

std::string upper(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c < 0x80) {
      out += static_cast<char>(c >= 'a' && c <= 'z' ? c - 32 : c);
      ++i;
      continue;
    }
    const auto [code, width] = decode(text.substr(i));
    append_upper(out, code);
    i += width;
  }
  return out;
}

std::string lower(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  bool letter_before = false;  // white space and punctuation that case ignores do not count
  std::size_t budget = text.size();
  for (std::size_t i = 0; i < text.size();) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c < 0x80) {
      const bool capital = c >= 'A' && c <= 'Z';
      out += static_cast<char>(capital ? c + 32 : c);
      if (capital || (c >= 'a' && c <= 'z'))
        letter_before = true;
      else if (c != '\'' && c != '.' && c != ':' && c != '^' && c != '`')
        letter_before = false;
      ++i;
      continue;
    }
    const auto [code, width] = decode(text.substr(i));
    i += width;
    if (code == kCapitalSigma)  // at the end of a word it has a form of its own
      append_utf8(out, letter_before && !word_goes_on(text.substr(i), budget) ? kFinalSigma : kSigma);
    else
      append_lower(out, code);
    if (!ignored_by_case(code)) letter_before = is_cased(code);
  }
  return out;
}

std::string casefold(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    const auto [code, width] = decode(text.substr(i));
    to_fold().append(out, code);
    i += width;
  }
  return out;
}

}  // namespace mapflow::jinja::detail::unicode
