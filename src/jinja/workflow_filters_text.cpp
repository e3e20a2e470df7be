// Encodings, digests and texts for prompts and names.
#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <openssl/evp.h>

#include "jinja/unicode.h"
#include "jinja/workflow_filters.h"

namespace mapflow::jinja::workflow {

namespace {

namespace unicode = detail::unicode;

constexpr std::string_view kBase64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

Result<Value> b64encode(const Arguments& arguments) {
  Call call("b64encode", arguments);
  const std::string_view text = call.text(0, "value");
  const bool urlsafe = call.flag_or(1, "urlsafe", false);
  MAPFLOW_JINJA_CHECK(call);
  std::string out;
  out.reserve(text.size() / 3 * 4 + 4);
  for (std::size_t i = 0; i < text.size(); i += 3) {
    std::uint32_t bits = 0;
    const std::size_t count = std::min<std::size_t>(3, text.size() - i);
    for (std::size_t k = 0; k < 3; ++k) bits = bits << 8 | (k < count ? static_cast<unsigned char>(text[i + k]) : 0u);
    for (std::size_t k = 0; k < 4; ++k) out += k <= count ? kBase64[bits >> (18 - 6 * k) & 63] : '=';
  }
  if (urlsafe) {
    std::replace(out.begin(), out.end(), '+', '-');
    std::replace(out.begin(), out.end(), '/', '_');
  }
  return Value(out);
}

bool is_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto [code, width] = unicode::decode(text.substr(i));
    if (code >= 0xDC80 && code < 0xDD00 && width == 1) return false;
    i += width;
  }
  return true;
}

// Both alphabets, with or without padding; white space is skipped.
Result<Value> b64decode(const Arguments& arguments) {
  Call call("b64decode", arguments);
  const std::string_view text = call.text(0, "value");
  MAPFLOW_JINJA_CHECK(call);
  std::string out;
  std::uint32_t bits = 0;
  int held = 0;
  bool padded = false;
  std::size_t digits = 0;
  for (const char c : text) {
    if (c == ' ' || c == '\n' || c == '\r' || c == '\t') continue;
    if (c == '=') {
      padded = true;
      continue;
    }
    const std::size_t digit = kBase64.find(c == '-' ? '+' : c == '_' ? '/' : c);
    if (digit == std::string_view::npos || padded) return fail(code::invalid_input, "b64decode: this is not base64");
    bits = bits << 6 | static_cast<std::uint32_t>(digit);
    held += 6;
    ++digits;
    if (held >= 8) {
      held -= 8;
      out += static_cast<char>(bits >> held & 0xFF);
    }
  }
  if (digits % 4 == 1) return fail(code::invalid_input, "b64decode: this is not base64");
  if (!is_utf8(out)) return fail(code::invalid_input, "b64decode: the decoded bytes are not UTF-8 text");
  return Value(out);
}

std::string digest(const EVP_MD* kind, std::string_view bytes) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> hash{};
  unsigned int size = 0;
  ensure(EVP_Digest(bytes.data(), bytes.size(), hash.data(), &size, kind, nullptr) == 1,
         "the digest is built into OpenSSL");
  return {reinterpret_cast<const char*>(hash.data()), size};
}

std::string hex(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) out += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return out;
}

Result<Value> sha256(const Arguments& arguments) {
  Call call("sha256", arguments);
  const std::string_view text = call.text(0, "value");
  MAPFLOW_JINJA_CHECK(call);
  return Value(hex(digest(EVP_sha256(), text)));
}

// The bytes of a UUID's text, or "" when it is none.
std::string uuid_bytes(std::string_view text) {
  std::string out;
  int high = -1;
  for (const char c : text) {
    if (c == '-') continue;
    const char low = static_cast<char>(c | 0x20);
    const int digit = c >= '0' && c <= '9' ? c - '0' : low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
    if (digit < 0) return {};
    if (high >= 0) out += static_cast<char>(high << 4 | digit);
    high = high >= 0 ? -1 : digit;
  }
  return high < 0 && out.size() == 16 ? out : std::string();
}

Result<Value> uuid5(const Arguments& arguments) {
  Call call("uuid5", arguments);
  const std::string_view name = call.text(0, "value");
  const std::string_view space = call.text_or(1, "namespace", "dns");
  MAPFLOW_JINJA_CHECK(call);
  static constexpr std::string_view words[] = {"dns", "url", "oid", "x500"};
  const auto known = std::find(std::begin(words), std::end(words), space);
  const std::string namespace_bytes =
      known == std::end(words)
          ? uuid_bytes(space)
          : uuid_bytes(fmt::format("6ba7b81{}-9dad-11d1-80b4-00c04fd430c8", "0124"[known - std::begin(words)]));
  if (namespace_bytes.empty())
    return fail(code::invalid_input, "uuid5: 'namespace' must be dns, url, oid, x500 or a UUID");
  std::string bytes = digest(EVP_sha1(), namespace_bytes + std::string(name)).substr(0, 16);
  bytes[6] = static_cast<char>((bytes[6] & 0x0F) | 0x50);
  bytes[8] = static_cast<char>((bytes[8] & 0x3F) | 0x80);
  std::string text = hex(bytes);
  for (const std::size_t at : {20u, 16u, 12u, 8u}) text.insert(at, 1, '-');
  return Value(text);
}

// Letters and digits in lower case, accents taken off Latin ones, anything between them as one separator.
Result<Value> slugify(const Arguments& arguments) {
  Call call("slugify", arguments);
  const std::string_view text = call.text(0, "value");
  const std::string_view separator = call.text_or(1, "separator", "-");
  const std::int64_t most = call.integer_or(2, "max_length", 0);
  MAPFLOW_JINJA_CHECK(call);
  if (separator.size() > 16) return fail(code::invalid_input, "slugify: 'separator' is too long");
  std::string out;
  bool gap = false;
  std::int64_t length = 0;
  for (std::size_t i = 0; i < text.size();) {
    const auto [code, width] = unicode::decode(text.substr(i));
    const std::string plain = unicode::without_accents(code);
    i += width;
    if (code == '\'') continue;
    if (!unicode::is_alnum(code) || plain.empty()) {
      gap = !out.empty();
      continue;
    }
    const std::int64_t more =
        static_cast<std::int64_t>(unicode::length(plain) + (gap ? unicode::length(separator) : 0));
    if (most > 0 && length + more > most) break;
    if (gap) out += separator;
    gap = false;
    out += unicode::lower(plain);
    length += more;
  }
  return Value(out);
}

// About four bytes are a token in the models at hand; good enough to stay below a limit with some reserve.
constexpr std::int64_t kBytesPerToken = 4;

Result<Value> truncate_tokens(const Arguments& arguments) {
  Call call("truncate_tokens", arguments);
  const std::string_view text = call.text(0, "value");
  const std::int64_t tokens = call.integer(1, "tokens");
  const std::string_view end = call.text_or(2, "end", "…");
  MAPFLOW_JINJA_CHECK(call);
  if (tokens < 0) return fail(code::invalid_input, "truncate_tokens: 'tokens' must not be negative");
  if (tokens > INT64_MAX / kBytesPerToken || static_cast<std::int64_t>(text.size()) <= tokens * kBytesPerToken)
    return Value(text);
  const auto budget = static_cast<std::size_t>(tokens * kBytesPerToken);
  std::size_t keep = budget > end.size() ? budget - end.size() : 0;
  while (keep > 0 && (static_cast<unsigned char>(text[keep]) & 0xC0) == 0x80) --keep;
  // The cut goes back to the end of a word, unless that would cost more than a quarter of the text.
  std::size_t word = keep;
  while (word > 0 && word > keep - keep / 4 && !(text[word] == ' ' || text[word] == '\n' || text[word] == '\t')) --word;
  if (word > 0 && word > keep - keep / 4) keep = word;
  std::string out(unicode::strip_right(text.substr(0, keep)));
  if (budget >= end.size()) out += end;
  return Value(out);
}

}  // namespace

void add_text_filters(Environment& environment, Budget) {
  environment.add_filter("b64encode", b64encode);
  environment.add_filter("b64decode", b64decode);
  environment.add_filter("sha256", sha256);
  environment.add_filter("uuid5", uuid5);
  environment.add_filter("slugify", slugify);
  environment.add_filter("truncate_tokens", truncate_tokens);
}

}  // namespace mapflow::jinja::workflow
