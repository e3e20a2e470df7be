#include "value/json.h"

#include <array>
#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <vector>

#define RAPIDJSON_HAS_STDSTRING 1
#include <rapidjson/error/en.h>
#include <rapidjson/reader.h>

namespace mapflow {

namespace {

/// Whether a number other than zero is smaller than every double, in magnitude: one that no double can hold is that or too big.
bool vanishes(std::string_view number) {
  const std::size_t e = std::min(number.find_first_of("eE"), number.size());
  const std::string_view digits = number.substr(0, e);
  const auto first = static_cast<std::int64_t>(digits.find_first_of("123456789"));
  const auto point = static_cast<std::int64_t>(std::min(digits.find('.'), digits.size()));
  std::int32_t exponent = 0;
  if (e < number.size()) {
    const std::string_view power = number.substr(e + (number[e + 1] == '+' ? 2 : 1));
    const auto read = std::from_chars(power.data(), power.data() + power.size(), exponent);
    if (read.ec != std::errc()) return power.front() == '-';
  }
  return exponent + point < first;
}

/// The value of a number as JSON writes it: an integer where one of 64 bits can hold it. Nothing when no double can either.
std::optional<Value> number_of(std::string_view text) {
  const char* const end = text.data() + text.size();
  if (text.find_first_of(".eE") == std::string_view::npos) {
    std::int64_t integer = 0;
    if (std::from_chars(text.data(), end, integer).ec == std::errc()) return Value(integer);
  }
  double number = 0;
  if (std::from_chars(text.data(), end, number).ec == std::errc()) return Value(number);
  if (vanishes(text)) return Value(text.front() == '-' ? -0.0 : 0.0);
  return std::nullopt;
}

/// Builds a Value from the parser's events. Containers under construction wait on a stack, so depth costs no C stack.
class Builder {
 public:
  explicit Builder(std::size_t max_depth) : max_depth_(max_depth) {}

  bool Null() { return put(Value()); }
  bool Bool(bool flag) { return put(Value(flag)); }
  // Numbers come as text: the reader's own conversion is undefined for a zero with a large exponent (0e308).
  bool Int(int) { return false; }
  bool Uint(unsigned) { return false; }
  bool Int64(std::int64_t) { return false; }
  bool Uint64(std::uint64_t) { return false; }
  bool Double(double) { return false; }
  bool RawNumber(const char* text, rapidjson::SizeType size, bool) {
    const std::optional<Value> number = number_of({text, size});
    too_big_ = !number;
    return number && put(*number);
  }
  bool String(const char* text, rapidjson::SizeType size, bool) { return put(Value(std::string_view(text, size))); }
  bool Key(const char* text, rapidjson::SizeType size, bool) {
    open_.back().key = Text(std::string_view(text, size));
    return true;
  }
  bool StartObject() { return push(Value(Object{})); }
  bool StartArray() { return push(Value(Array{})); }
  bool EndObject(rapidjson::SizeType) { return pop(); }
  bool EndArray(rapidjson::SizeType) { return pop(); }

  bool too_deep() const { return too_deep_; }
  bool too_big() const { return too_big_; }
  Value take() { return std::move(root_); }

 private:
  struct Open {
    Value container;
    Text key;  // in an object: the member that the next value belongs to
  };

  bool put(Value value) {
    if (open_.empty()) {
      root_ = std::move(value);
    } else if (open_.back().container.is_array()) {
      open_.back().container.push_back(std::move(value));
    } else {
      open_.back().container.set(std::move(open_.back().key), std::move(value));
    }
    return true;
  }
  bool push(Value container) {
    too_deep_ = open_.size() >= max_depth_;
    if (too_deep_) return false;
    open_.push_back({std::move(container), {}});
    return true;
  }
  bool pop() {
    Value done = std::move(open_.back().container);
    open_.pop_back();
    return put(std::move(done));
  }

  std::size_t max_depth_;
  bool too_deep_ = false;
  bool too_big_ = false;
  std::vector<Open> open_;
  Value root_;
};

Location place(std::string_view text, std::size_t offset) {
  Location at{.file = {}, .line = 1, .column = 1};
  for (char c : text.substr(0, offset)) {
    if (c == '\n') {
      ++at.line;
      at.column = 1;
    } else if ((static_cast<unsigned char>(c) & 0xC0) != 0x80) {
      ++at.column;
    }
  }
  return at;
}

/// Length of the UTF-8 sequence that starts at `at`, or 0 when the bytes there are not UTF-8 (Unicode 15, table 3-7).
std::size_t utf8_length(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(i < text.size() ? text[i] : 0); };
  const auto tail = [&](std::size_t i) { return (byte(i) & 0xC0) == 0x80; };
  const unsigned char first = byte(at);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return tail(at + 1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    const unsigned char second = byte(at + 1);
    const bool fits = !(first == 0xE0 && second < 0xA0) && !(first == 0xED && second > 0x9F);
    return fits && tail(at + 1) && tail(at + 2) ? 3 : 0;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    const unsigned char second = byte(at + 1);
    const bool fits = !(first == 0xF0 && second < 0x90) && !(first == 0xF4 && second > 0x8F);
    return fits && tail(at + 1) && tail(at + 2) && tail(at + 3) ? 4 : 0;
  }
  return 0;
}

/// ASCII that stands for itself in a JSON text.
constexpr std::array<bool, 256> kPlain = [] {
  std::array<bool, 256> plain{};
  for (int c = 0x20; c < 0x80; ++c) plain[static_cast<std::size_t>(c)] = c != '"' && c != '\\';
  return plain;
}();

void append_text(std::string& out, std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  out += '"';
  std::size_t plain = 0;  // start of the run that needs no escape
  for (std::size_t i = 0; i < text.size();) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (kPlain[c]) {
      ++i;
      continue;
    }
    const std::size_t length = c < 0x80 ? 1 : utf8_length(text, i);
    if (c >= 0x20 && c != '"' && c != '\\' && length != 0) {
      i += length;
      continue;
    }
    out.append(text, plain, i - plain);
    switch (c) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      case '\b': out += "\\b"; break;
      case '\f': out += "\\f"; break;
      default:
        if (length == 0) {
          out += "\xEF\xBF\xBD";
        } else {
          out += "\\u00";
          out += kHex[c >> 4];
          out += kHex[c & 15];
        }
    }
    plain = ++i;
  }
  out.append(text, plain, text.size() - plain);
  out += '"';
}

void append_number(std::string& out, double number) {
  if (!std::isfinite(number)) {
    out += "null";
    return;
  }
  char buffer[32];
  const auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, number);
  const std::string_view digits(buffer, static_cast<std::size_t>(end - buffer));
  out += digits;
  if (digits.find_first_of(".e") == std::string_view::npos) out += ".0";
}

enum class Layout { compact, pretty, sorted };

class Printer {
 public:
  Printer(std::string& out, Layout layout) : out_(out), layout_(layout) {}

  void print(const Value& value) {
    switch (value.type()) {
      case ValueType::null: out_ += "null"; break;
      case ValueType::boolean: out_ += value.as_bool() ? "true" : "false"; break;
      case ValueType::integer: {
        char buffer[24];
        const auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, value.as_integer());
        out_.append(buffer, end);
        break;
      }
      case ValueType::number: append_number(out_, value.as_double()); break;
      case ValueType::text: append_text(out_, value.as_text()); break;
      case ValueType::array: print_array(value.as_array()); break;
      case ValueType::object: print_object(value.as_object()); break;
    }
  }

 private:
  void print_array(const Array& items) {
    out_ += '[';
    ++depth_;
    bool first = true;
    for (const Value& item : items) {
      next(first);
      print(item);
    }
    --depth_;
    if (!first) line();
    out_ += ']';
  }

  void print_object(const Object& members) {
    out_ += '{';
    ++depth_;
    bool first = true;
    const auto member = [&](const Object::Member& each) {
      next(first);
      append_text(out_, each.key);
      out_ += layout_ == Layout::pretty ? ": " : ":";
      print(each.value);
    };
    if (layout_ == Layout::sorted) {
      std::vector<const Object::Member*> sorted;
      for (const auto& each : members) sorted.push_back(&each);
      std::ranges::sort(sorted, {}, [](const Object::Member* each) { return each->key.view(); });
      for (const auto* each : sorted) member(*each);
    } else {
      for (const auto& each : members) member(each);
    }
    --depth_;
    if (!first) line();
    out_ += '}';
  }

  void next(bool& first) {
    if (!first) out_ += ',';
    first = false;
    line();
  }
  void line() {
    if (layout_ != Layout::pretty) return;
    out_ += '\n';
    out_.append(2 * depth_, ' ');
  }

  std::string& out_;
  Layout layout_;
  std::size_t depth_ = 0;
};

std::string print(const Value& value, Layout layout) {
  std::string out;
  Printer(out, layout).print(value);
  return out;
}

}  // namespace

Result<Value> parse_json(std::string_view text, const JsonLimits& limits) {
  if (text.size() > limits.max_bytes) {
    return fail(code::resource_exhausted, "the JSON text has " + std::to_string(text.size()) + " bytes, more than the limit of " +
                                              std::to_string(limits.max_bytes));
  }
  rapidjson::MemoryStream bytes(text.data(), text.size());
  rapidjson::EncodedInputStream<rapidjson::UTF8<>, rapidjson::MemoryStream> stream(bytes);
  rapidjson::Reader reader;
  Builder builder(limits.max_depth);
  constexpr unsigned kFlags = rapidjson::kParseIterativeFlag | rapidjson::kParseNumbersAsStringsFlag |
                              rapidjson::kParseValidateEncodingFlag;
  const auto outcome = reader.Parse<kFlags>(stream, builder);
  if (!outcome.IsError()) return builder.take();

  Error error(code::invalid_input, std::string("not JSON: ") + rapidjson::GetParseError_En(outcome.Code()));
  if (builder.too_deep()) {
    error = Error(code::resource_exhausted,
                  "the JSON text nests deeper than the limit of " + std::to_string(limits.max_depth));
  } else if (builder.too_big()) {
    error.message = std::string("not JSON: ") + rapidjson::GetParseError_En(rapidjson::kParseErrorNumberTooBig);
  }
  error.where = place(text, std::min(outcome.Offset(), text.size()));
  return fail(std::move(error));
}

void append_json_text(std::string& out, std::string_view text) { append_text(out, text); }
void append_json(std::string& out, const Value& value) { Printer(out, Layout::compact).print(value); }
std::string to_json(const Value& value) { return print(value, Layout::compact); }
std::string to_json_pretty(const Value& value) { return print(value, Layout::pretty); }
std::string to_canonical_json(const Value& value) { return print(value, Layout::sorted); }

}  // namespace mapflow
