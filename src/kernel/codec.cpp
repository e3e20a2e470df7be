#include "kernel/codec.h"

#include <bit>
#include <cstring>
#include <deque>
#include <map>
#include <type_traits>

namespace mapflow::kernel {

namespace {

constexpr std::uint64_t kStateVersion = 2;  // 1: the first format
constexpr unsigned char kSecondFormat = 0x80, kSameTime = 0x40, kKind = 0x3F;
static_assert(std::variant_size_v<RecordBody> <= kKind + 1);

enum class Format : std::uint8_t { first, second };

constexpr int kDeepestValue = 2000;
constexpr int kLongestCauseChain = 64;

template <class T>
concept Fielded = requires(T& thing, int& archive) { thing.template fields<int>(archive); };

std::uint64_t zigzag(std::int64_t n) { return (static_cast<std::uint64_t>(n) << 1) ^ static_cast<std::uint64_t>(n >> 63); }
std::int64_t unzigzag(std::uint64_t n) { return static_cast<std::int64_t>(n >> 1) ^ -static_cast<std::int64_t>(n & 1); }

// Times are often "never": that is written as 0.
std::uint64_t number_of(Timestamp at) { return zigzag(to_micros(at)) + 2; }
Timestamp time_of(std::uint64_t number) { return from_micros(unzigzag(number - 2)); }
static_assert(static_cast<std::uint64_t>(INT64_MAX) * 2 + 2 == 0);

constexpr std::size_t kLongestNumber = 10;  // 64 bits, seven in each byte

/// Gives how many bytes it took.
std::size_t put_number(char* at, std::uint64_t number) {
  std::size_t size = 0;
  for (; number >= 0x80; number >>= 7) at[size++] = static_cast<char>(number | 0x80);
  at[size++] = static_cast<char>(number);
  return size;
}

/// Numbers below 128 take one byte, so most of what is written is a byte or two: they are gathered before they go out.
class Writer {
 public:
  explicit Writer(std::string& out) : out_(out) {}
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;
  ~Writer() { flush(); }

  template <class T>
  void operator()(const char*, const T& field) { put(field); }

  void put(bool flag) { byte(static_cast<char>(flag)); }
  void put(std::uint32_t value) { number(value); }
  void put(std::uint64_t value) { number(value); }
  void put(std::int64_t value) { number(zigzag(value)); }
  void put(Timestamp at) { number(number_of(at)); }
  void put(Duration span) { put(static_cast<std::int64_t>(span.count())); }
  void put(const std::string& value) { text(value); }
  void put(const Text& value) { text(value); }
  template <class E> requires std::is_enum_v<E>
  void put(E value) { byte(static_cast<char>(value)); }
  template <class Tag, class Number>
  void put(StrongId<Tag, Number> id) { put(id.value); }
  template <class T>
  void put(const std::optional<T>& maybe) {
    put(maybe.has_value());
    if (maybe) put(*maybe);
  }
  template <class T>
  void put(const Rare<T>& maybe) {
    put(maybe.has_value());
    if (maybe) put(*maybe);
  }
  template <class A, class B>
  void put(const std::pair<A, B>& pair) { put(pair.first); put(pair.second); }
  template <class T>
  void put(const std::vector<T>& items) { put_all(items); }
  template <class T>
  void put(const std::deque<T>& items) { put_all(items); }
  template <class K, class V>
  void put(const std::map<K, V>& items) { put_all(items); }
  template <Fielded T>
  void put(const T& thing) { const_cast<T&>(thing).fields(*this); }  // fields() only reads through a Writer

  void put(const Record& record, bool same_time) {
    const auto kind = static_cast<unsigned char>(record.body.index());
    byte(static_cast<char>(kind | kSecondFormat | (same_time ? kSameTime : 0)));
    if (!same_time) put(record.at);
    std::visit([this](const auto& body) { put(body); }, record.body);
  }

  void put(const Error& error) {
    put(error.code); put(error.message); put(error.hint);
    put(error.where.file); put(error.where.line); put(error.where.column);
    put(error.step); put(error.path); put(error.attempt);
    put(error.retryable); put(error.retry_after_us); put(error.at_us); put(error.details);
    put(error.cause != nullptr);
    if (error.cause) put(*error.cause);
  }

  void put(const Value& value) {
    byte(static_cast<char>(value.type()));
    switch (value.type()) {
      case ValueType::null: break;
      case ValueType::boolean: put(value.as_bool()); break;
      case ValueType::integer: put(value.as_integer()); break;
      case ValueType::number: {
        const auto bits = std::bit_cast<std::uint64_t>(value.as_double());
        char raw[sizeof bits];
        std::memcpy(raw, &bits, sizeof bits);
        bytes({raw, sizeof raw});
        break;
      }
      case ValueType::text: text(value.as_text()); break;
      case ValueType::array:
        number(value.size());
        for (const Value& item : value.as_array()) put(item);
        break;
      case ValueType::object:
        number(value.size());
        for (const auto& [key, member] : value.as_object()) {
          text(key);
          put(member);
        }
        break;
    }
  }

 private:
  template <class Container>
  void put_all(const Container& items) {
    number(items.size());
    for (const auto& item : items) put(item);
  }

  void byte(char one) {
    if (size_ == sizeof gathered_) flush();
    gathered_[size_++] = one;
  }
  void number(std::uint64_t number) {
    if (sizeof gathered_ - size_ < kLongestNumber) flush();
    if (number < 0x80) gathered_[size_++] = static_cast<char>(number);
    else size_ += put_number(gathered_ + size_, number);
  }
  void text(std::string_view text) {
    number(text.size());
    bytes(text);
  }
  void bytes(std::string_view bytes) {
    if (bytes.empty()) return;
    if (sizeof gathered_ - size_ < bytes.size()) flush();
    if (bytes.size() > sizeof gathered_) {
      out_ += bytes;
    } else {
      std::memcpy(gathered_ + size_, bytes.data(), bytes.size());
      size_ += bytes.size();
    }
  }
  void flush() {
    out_.append(gathered_, size_);
    size_ = 0;
  }

  std::string& out_;
  std::size_t size_ = 0;
  char gathered_[1024];
};

/// Reads what Writer wrote. The first thing that does not read sets the error; from then on nothing is read.
class Reader {
 public:
  Reader(std::string_view& bytes, Format format) : bytes_(bytes), format_(format) {}

  template <class T>
  void operator()(const char*, T& field) { if (ok()) get(field); }

  bool ok() const { return !failure_; }
  std::optional<Error> failure() const { return failure_; }

  void get(bool& flag) {
    const unsigned char byte = take_byte();
    if (byte > 1) broken("a flag is neither 0 nor 1");
    flag = byte == 1;
  }
  void get(std::uint32_t& number) {
    const std::uint64_t wide = take_number();
    if (wide > UINT32_MAX) broken("a number is too large");
    number = static_cast<std::uint32_t>(wide);
  }
  void get(std::uint64_t& number) { number = take_number(); }
  void get(std::int64_t& number) { number = unzigzag(take_number()); }
  void get(Timestamp& at) {
    const std::uint64_t number = take_number();
    at = format_ == Format::first ? from_micros(unzigzag(number)) : time_of(number);
  }
  void get(Duration& span) {
    std::int64_t micros = 0;
    get(micros);
    span = Duration(micros);
  }
  void get(std::string& text) { text = take_text(); }
  void get(Text& text) { text = take_text(); }
  template <class E> requires std::is_enum_v<E>
  void get(E& value) {
    const unsigned char byte = take_byte();
    if (byte > 15) broken("a choice is out of range");
    value = static_cast<E>(byte);
  }
  template <class Tag, class Number>
  void get(StrongId<Tag, Number>& id) { get(id.value); }
  template <class T>
  void get(std::optional<T>& maybe) {
    bool there = false;
    get(there);
    maybe.reset();
    if (there && ok()) get(maybe.emplace());
  }
  template <class T>
  void get(Rare<T>& maybe) {
    bool there = false;
    get(there);
    maybe.reset();
    if (there && ok()) get(maybe.emplace());
  }
  void get(std::optional<Request>& maybe) {
    if (format_ == Format::first) return get_first_request(maybe);
    bool there = false;
    get(there);
    maybe.reset();
    if (there && ok()) get(maybe.emplace());
  }
  template <class A, class B>
  void get(std::pair<A, B>& pair) { get(pair.first); get(pair.second); }
  template <class T>
  void get(std::vector<T>& items) { get_all(items); }
  template <class T>
  void get(std::deque<T>& items) { get_all(items); }
  template <class K, class V>
  void get(std::map<K, V>& items) {
    items.clear();
    for (std::uint64_t left = take_count(); left > 0 && ok(); --left) {
      std::pair<K, V> item;
      get(item);
      items.emplace(std::move(item));
    }
  }
  template <Fielded T>
  void get(T& thing) { thing.fields(*this); }

  void get(Error& error) {
    if (++cause_depth_ > kLongestCauseChain) return broken("an error has too many causes");
    get(error.code); get(error.message); get(error.hint);
    get(error.where.file); get(error.where.line); get(error.where.column);
    get(error.step); get(error.path); get(error.attempt);
    get(error.retryable); get(error.retry_after_us); get(error.at_us); get(error.details);
    bool caused = false;
    get(caused);
    if (caused && ok()) {
      Error cause;
      get(cause);
      error.cause = std::make_shared<const Error>(std::move(cause));
    }
    --cause_depth_;
  }

  void get(Value& value) {
    if (++value_depth_ > kDeepestValue) return broken("a value is nested too deeply");
    switch (take_byte()) {
      case static_cast<unsigned>(ValueType::null): value = Value(); break;
      case static_cast<unsigned>(ValueType::boolean): {
        bool flag = false;
        get(flag);
        value = Value(flag);
        break;
      }
      case static_cast<unsigned>(ValueType::integer): value = Value(unzigzag(take_number())); break;
      case static_cast<unsigned>(ValueType::number): value = Value(take_double()); break;
      case static_cast<unsigned>(ValueType::text): value = Value(take_text()); break;
      case static_cast<unsigned>(ValueType::array): get_array(value); break;
      case static_cast<unsigned>(ValueType::object): get_object(value); break;
      default: broken("a value is of no known type");
    }
    --value_depth_;
  }

  unsigned char take_byte() {
    if (bytes_.empty()) {
      broken("it ends too early");
      return 0;
    }
    const auto byte = static_cast<unsigned char>(bytes_.front());
    bytes_.remove_prefix(1);
    return byte;
  }

  void broken(std::string why) {
    if (!failure_) failure_ = Error(code::corrupt, "stored bytes do not read back: " + why);
  }
  void fail_with(Error error) { failure_ = std::move(error); }

 private:
  std::uint64_t take_number() {
    auto number = decode_number(bytes_);
    if (number) return *number;
    broken("a number is cut off");
    return 0;
  }
  std::string_view take_text() {
    auto text = decode_text(bytes_);
    if (text) return *text;
    broken("a text is cut off");
    return {};
  }
  /// A count of things that take at least a byte each, so that a damaged count cannot make us reserve the world.
  std::uint64_t take_count() {
    const std::uint64_t count = take_number();
    if (count > bytes_.size()) broken("a count is larger than what follows");
    return ok() ? count : 0;
  }
  double take_double() {
    std::uint64_t bits = 0;
    if (bytes_.size() < sizeof bits) {
      broken("a number is cut off");
      return 0;
    }
    std::memcpy(&bits, bytes_.data(), sizeof bits);
    bytes_.remove_prefix(sizeof bits);
    return std::bit_cast<double>(bits);
  }
  /// A Value: null when there is none. A record has a flag before it that says whether there is one.
  void get_first_request(std::optional<Request>& maybe) {
    maybe.reset();
    if (!bytes_.empty() && bytes_.front() == 1) take_byte();
    Value value;
    get(value);
    if (!value.is_null()) maybe = request_from_value(value);
  }
  void get_array(Value& value) {
    Array items;
    for (std::uint64_t left = take_count(); left > 0 && ok(); --left) get(items.emplace_back());
    value = Value(std::move(items));
  }
  void get_object(Value& value) {
    Object members;
    for (std::uint64_t left = take_count(); left > 0 && ok(); --left) {
      const std::string_view key = take_text();
      get(members[key]);
    }
    value = Value(std::move(members));
  }
  template <class Container>
  void get_all(Container& items) {
    items.clear();
    for (std::uint64_t left = take_count(); left > 0 && ok(); --left) get(items.emplace_back());
  }

  std::string_view& bytes_;
  const Format format_;
  std::optional<Error> failure_;
  int value_depth_ = 0;
  int cause_depth_ = 0;
};

template <std::size_t... Kinds>
void get_body(Reader& reader, std::size_t kind, RecordBody& body, std::index_sequence<Kinds...>) {
  ((kind == Kinds ? reader.get(body.emplace<Kinds>()) : void()), ...);
}

}  // namespace

void encode_number(std::string& out, std::uint64_t number) {
  char bytes[kLongestNumber];
  out.append(bytes, put_number(bytes, number));
}

void encode_text(std::string& out, std::string_view text) {
  encode_number(out, text.size());
  out += text;
}

Result<std::uint64_t> decode_number(std::string_view& bytes) {
  std::uint64_t number = 0;
  for (unsigned shift = 0; shift < 64 && !bytes.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(bytes.front());
    bytes.remove_prefix(1);
    number |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
    if (byte < 0x80) return number;
  }
  return fail(code::corrupt, "stored bytes do not read back: a number is cut off");
}

Result<std::string_view> decode_text(std::string_view& bytes) {
  MAPFLOW_ASSIGN(const std::uint64_t size, decode_number(bytes));
  if (size > bytes.size()) return fail(code::corrupt, "stored bytes do not read back: a text is cut off");
  const std::string_view text = bytes.substr(0, size);
  bytes.remove_prefix(size);
  return text;
}

void encode_records(std::string& out, std::span<const Record> records) {
  Writer writer(out);
  const Record* before = nullptr;
  for (const Record& record : records) {
    writer.put(record, before && before->at == record.at);
    before = &record;
  }
}

Result<Record> RecordReader::next() {
  if (rest_.empty()) return fail(code::corrupt, "stored bytes do not read back: a record is missing");
  const auto first = static_cast<unsigned char>(rest_.front());
  rest_.remove_prefix(1);
  const bool second = (first & kSecondFormat) != 0;
  Reader reader(rest_, second ? Format::second : Format::first);
  Record record;
  const std::size_t kind = second ? first & kKind : first;
  if (kind >= std::variant_size_v<RecordBody>) {
    return fail(code::invalid_state, "a record of kind " + std::to_string(kind) + " is not known to this version of mapflow",
                "it was written by a newer one; use that one");
  }
  if (!second || (first & kSameTime) == 0) reader.get(record.at);
  else if (at_) record.at = *at_;
  else reader.broken("there is no record before the first one");
  at_ = record.at;
  get_body(reader, kind, record.body, std::make_index_sequence<std::variant_size_v<RecordBody>>());
  if (const auto failure = reader.failure()) return fail(*failure);
  return record;
}

std::string encode_state(const State& state) {
  std::string out;
  encode_number(out, kStateVersion);
  Writer(out).put(state);
  return out;
}

Result<State> decode_state(std::string_view bytes) {
  MAPFLOW_ASSIGN(const std::uint64_t version, decode_number(bytes));
  if (version < 1 || version > kStateVersion) {
    return fail(code::invalid_state, "a snapshot of format " + std::to_string(version) + " is not known to this version of mapflow",
                "it was written by another one; use that one");
  }
  Reader reader(bytes, version == 1 ? Format::first : Format::second);
  State state;
  reader.get(state);
  if (reader.ok() && !bytes.empty()) reader.broken("something follows its end");
  if (const auto failure = reader.failure()) return fail(*failure);
  restore_derived(state);
  return state;
}

}  // namespace mapflow::kernel
