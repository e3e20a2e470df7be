#include "persistence/postgres_values.h"

#include <libpq-fe.h>

#include <algorithm>
#include <utility>

namespace mapflow::persistence::postgres {
namespace {

constexpr std::uint32_t kFirstStandIn = 0x10FF00;

template <class Number>
void append_big_endian(std::string& bytes, Number number) {
  char written[sizeof(Number)];
  for (std::size_t at = sizeof(Number); at-- > 0; number = static_cast<Number>(number >> 8))
    written[at] = static_cast<char>(number & 0xff);
  bytes.append(written, sizeof written);
}

template <class Number>
std::string big_endian(Number number) {
  std::string bytes;
  append_big_endian(bytes, number);
  return bytes;
}

std::int64_t read_big_endian(std::string_view bytes) {
  std::uint64_t number = !bytes.empty() && (bytes[0] & 0x80) ? ~std::uint64_t{0} : 0;
  for (const char byte : bytes) number = number << 8 | static_cast<unsigned char>(byte);
  return static_cast<std::int64_t>(number);
}

/// The length of the well-formed UTF-8 sequence that the text begins with (RFC 3629), 0 when there is none.
std::size_t sequence_length(std::string_view text, std::uint32_t& code_point) {
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
  const auto first = byte(0);
  const std::size_t length = first < 0x80 ? 1 : first >> 5 == 6 ? 2 : first >> 4 == 14 ? 3 : first >> 3 == 30 ? 4 : 0;
  if (length == 0 || length > text.size()) return 0;
  code_point = length == 1 ? first : first & (0x7f >> length);
  for (std::size_t at = 1; at < length; ++at) {
    if (byte(at) >> 6 != 2) return 0;
    code_point = code_point << 6 | (byte(at) & 0x3f);
  }
  constexpr std::uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = code_point >= 0xD800 && code_point < 0xE000;
  return code_point < kLeast[length] || code_point > 0x10FFFF || surrogate ? 0 : length;
}

void append_stand_in(std::string& out, unsigned char byte) {
  const std::uint32_t code_point = kFirstStandIn + byte;
  out += static_cast<char>(0xF0 | code_point >> 18);
  out += static_cast<char>(0x80 | (code_point >> 12 & 0x3f));
  out += static_cast<char>(0x80 | (code_point >> 6 & 0x3f));
  out += static_cast<char>(0x80 | (code_point & 0x3f));
}

/// Texts that are kept as they are: ASCII without a zero.
bool is_plain(std::string_view text) {
  return std::ranges::all_of(text, [](char byte) { return byte > 0; });
}

}  // namespace

std::string to_stored(std::string_view text) {
  if (is_plain(text)) return std::string(text);
  std::string stored;
  stored.reserve(text.size());
  while (!text.empty()) {
    std::uint32_t code_point = 0;
    const std::size_t length = sequence_length(text, code_point);
    if (length > 0 && code_point != 0 && code_point < kFirstStandIn) {
      stored += text.substr(0, length);
      text.remove_prefix(length);
    } else {  // also a stand-in itself, byte by byte, so that every text comes back as it was
      append_stand_in(stored, static_cast<unsigned char>(text[0]));
      text.remove_prefix(1);
    }
  }
  return stored;
}

std::string from_stored(std::string_view stored) {
  if (stored.find("\xF4\x8F") == stored.npos) return std::string(stored);  // how every stand-in begins
  std::string text;
  while (!stored.empty()) {
    std::uint32_t code_point = 0;
    const std::size_t length = sequence_length(stored, code_point);
    if (length == 4 && code_point >= kFirstStandIn && code_point <= kFirstStandIn + 0xff)
      text += static_cast<char>(code_point - kFirstStandIn);
    else
      text += stored.substr(0, std::max<std::size_t>(length, 1));
    stored.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return text;
}

void Array::add(std::string_view text) {
  if (is_plain(text)) return append(text);
  append(to_stored(text));
}

void Array::add_null() {
  append_big_endian(bytes_, std::int32_t{-1});
  nulls_ = true;
  ++size_;
}

void Array::add_number(std::int64_t number) {
  if (element_ == boolean) return append(std::string_view(number ? "\1" : "\0", 1));
  const bool short_one = element_ == int4;
  append_big_endian(bytes_, short_one ? std::int32_t{4} : std::int32_t{8});
  if (short_one)
    append_big_endian(bytes_, static_cast<std::int32_t>(number));
  else
    append_big_endian(bytes_, number);
  ++size_;
}

void Array::append(std::string_view value) {
  append_big_endian(bytes_, static_cast<std::int32_t>(value.size()));
  bytes_ += value;
  ++size_;
}

std::uint32_t Array::type() const {
  switch (element_) {
    case boolean: return 1000;
    case bytea: return 1001;
    case int4: return 1007;
    case text: return 1009;
    case int8: return 1016;
  }
  std::unreachable();
}

/// Dimensions, whether there are nulls, the element's type, then for each dimension its size and its first index.
std::string Array::take() {
  std::string header;
  for (const std::uint32_t number : {std::uint32_t{size_ > 0}, std::uint32_t{nulls_}, std::uint32_t{element_}, size_, 1u})
    append_big_endian(header, number);
  bytes_.replace(0, kHeader, header);
  if (size_ == 0) bytes_.resize(12);  // no dimension
  return std::move(bytes_);
}

Arguments& Arguments::add_number(std::int64_t number) {
  types_.push_back(Array::int8);
  values_.push_back(big_endian(number));
  return *this;
}

Arguments& Arguments::add(std::string_view text) {
  types_.push_back(Array::text);
  values_.push_back(to_stored(text));
  return *this;
}

Arguments& Arguments::add(const Bytes& bytes) {
  types_.push_back(Array::bytea);
  values_.emplace_back(bytes.bytes);
  return *this;
}

Arguments& Arguments::add(Array array) {
  types_.push_back(array.type());
  values_.push_back(array.take());
  return *this;
}

void Rows::Clear::operator()(pg_result* result) const { PQclear(result); }

int Rows::count() const { return PQntuples(result_.get()); }

std::int64_t Rows::number(int row, int column) const { return read_big_endian(bytes(row, column)); }

std::string_view Rows::bytes(int row, int column) const {
  return {PQgetvalue(result_.get(), row, column), static_cast<std::size_t>(PQgetlength(result_.get(), row, column))};
}

std::vector<std::string> Rows::texts(int row, int column) const {
  std::string_view rest = bytes(row, column);
  const auto take = [&](std::size_t size) {
    const std::string_view part = rest.substr(0, size);
    rest.remove_prefix(part.size());
    return part;
  };
  std::vector<std::string> all;
  if (read_big_endian(take(4)) == 0) return all;  // no dimension
  take(8);
  const std::int64_t size = read_big_endian(take(4));
  take(4);
  for (std::int64_t at = 0; at < size && !rest.empty(); ++at)
    all.push_back(from_stored(take(static_cast<std::size_t>(read_big_endian(take(4))))));
  return all;
}

bool Rows::null(int row, int column) const { return PQgetisnull(result_.get(), row, column) != 0; }

}  // namespace mapflow::persistence::postgres
