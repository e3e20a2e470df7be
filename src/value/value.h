// The one dynamic value of the engine: JSON, held in 16 bytes, cheap to copy and safe to share.
//
//   Value order = object({{"id", "A-17"}, {"lines", array({1, 2, 3})}});
//   order.find("id")->as_text();             // "A-17"
//   order.set("total", 12.5);                // copy on write: other holders of the old value keep it
//
// A Value behaves like a number: copying it copies its meaning. Behind that, texts, arrays and objects are shared
// and counted, and copied only when someone who is not their only holder changes them.
//
// Numbers are integers (64 bit) or doubles; `1` and `1.0` are different values of equal weight (see operator==).
// Objects keep the order in which keys were first set; equality does not look at that order.
// Thread safety: as an int. Different Values may be used from different threads even when they share storage.
#pragma once

#include <atomic>
#include <compare>
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ensure.h"
#include "base/error.h"

namespace mapflow {

class Value;
class Object;
using Array = std::vector<Value>;

enum class ValueType : std::uint8_t { null, boolean, integer, number, text, array, object };

/// "null", "boolean", "integer", "number", "string", "array", "object": JSON Schema's words, for messages.
std::string_view to_string(ValueType type);

/// An immutable, shared text. Copying shares; the bytes are UTF-8 by convention and not checked.
class Text {
 public:
  Text() noexcept = default;
  Text(std::string_view text);  // NOLINT(google-explicit-constructor): a text is a text
  Text(const char* text) : Text(std::string_view(text)) {}
  Text(const std::string& text) : Text(std::string_view(text)) {}
  Text(const Text& other) noexcept : rep_(other.rep_) { retain(); }
  Text(Text&& other) noexcept : rep_(std::exchange(other.rep_, nullptr)) {}
  Text& operator=(Text other) noexcept { std::swap(rep_, other.rep_); return *this; }
  ~Text() { release(); }

  std::string_view view() const { return rep_ ? std::string_view(rep_->bytes(), rep_->size) : std::string_view(); }
  operator std::string_view() const { return view(); }
  std::size_t size() const { return rep_ ? rep_->size : 0; }
  bool empty() const { return size() == 0; }
  bool operator==(const Text& other) const { return rep_ == other.rep_ || view() == other.view(); }
  auto operator<=>(const Text& other) const { return view() <=> other.view(); }

 private:
  friend class Value;
  struct Rep {
    std::atomic<std::uint32_t> holders{1};
    std::uint32_t size = 0;
    char* bytes() { return reinterpret_cast<char*>(this + 1); }
    const char* bytes() const { return reinterpret_cast<const char*>(this + 1); }
  };
  explicit Text(Rep* rep) noexcept : rep_(rep) {}
  void retain() const noexcept { if (rep_) rep_->holders.fetch_add(1, std::memory_order_relaxed); }
  void release() noexcept;
  Rep* rep_ = nullptr;
};

class Value {
 public:
  Value() noexcept : type_(ValueType::null) { as_.integer = 0; }
  Value(std::nullptr_t) noexcept : Value() {}
  Value(std::same_as<bool> auto flag) noexcept : type_(ValueType::boolean) { as_.integer = 0; as_.boolean = flag; }
  template <std::integral T>
    requires(!std::same_as<T, bool> && !std::same_as<T, char>)
  Value(T integer) noexcept : type_(ValueType::integer) { as_.integer = static_cast<std::int64_t>(integer); }
  Value(std::floating_point auto number) noexcept : type_(ValueType::number) { as_.number = number; }
  Value(Text text) noexcept;
  Value(std::string_view text) : Value(Text(text)) {}
  Value(const std::string& text) : Value(Text(text)) {}
  Value(const char* text) : Value(Text(text)) {}
  Value(Array items);
  Value(Object members);
  Value(const Value& other) noexcept : type_(other.type_), as_(other.as_) { retain(); }
  Value(Value&& other) noexcept : type_(other.type_), as_(other.as_) { other.type_ = ValueType::null; }
  Value& operator=(const Value& other) noexcept { Value copy(other); swap(copy); return *this; }
  Value& operator=(Value&& other) noexcept { Value taken(std::move(other)); swap(taken); return *this; }
  ~Value() { if (type_ >= ValueType::text) release(); }
  void swap(Value& other) noexcept { std::swap(type_, other.type_); std::swap(as_, other.as_); }

  ValueType type() const { return type_; }
  bool is_null() const { return type_ == ValueType::null; }
  bool is_bool() const { return type_ == ValueType::boolean; }
  bool is_integer() const { return type_ == ValueType::integer; }
  bool is_double() const { return type_ == ValueType::number; }
  bool is_number() const { return is_integer() || is_double(); }
  bool is_text() const { return type_ == ValueType::text; }
  bool is_array() const { return type_ == ValueType::array; }
  bool is_object() const { return type_ == ValueType::object; }

  // What it holds. The caller has looked at the type first: asking for another one is a bug and ends the process.
  bool as_bool() const { ensure(is_bool(), "value is a boolean"); return as_.boolean; }
  std::int64_t as_integer() const { ensure(is_integer(), "value is an integer"); return as_.integer; }
  double as_double() const;  ///< of either kind of number
  std::string_view as_text() const { ensure(is_text(), "value is a text"); return text_rep(); }
  Text shared_text() const;  ///< the same text without copying its bytes
  const Array& as_array() const;
  const Object& as_object() const;

  /// The member called `key`, or nullptr when there is none or this is not an object.
  const Value* find(std::string_view key) const;
  /// Members and elements by a dotted path: "order.lines.0.price". nullptr when a part is missing.
  const Value* find_path(std::string_view dotted) const;
  /// Number of elements, members or bytes; 0 for other types.
  std::size_t size() const;

  // Changes. Each makes this Value the only holder of its storage first; other copies keep what they had.
  /// Sets a member. A null becomes an object first; any other type is a bug.
  void set(Text key, Value value);
  /// Sets by dotted path, making objects on the way; an array index must exist.
  /// Errors: invalid_input when a part of the way is neither an object, nor null, nor an array with that index.
  Status set_path(std::string_view dotted, Value value);
  /// Removes a member; true when it was there.
  bool erase(std::string_view key);
  /// Appends. A null becomes an array first; any other type is a bug.
  void push_back(Value value);
  Array& mutable_array();
  Object& mutable_object();

  /// JSON equality: numbers by weight (1 == 1.0), objects without regard to order.
  bool operator==(const Value& other) const;
  /// Equality that also tells 1 from 1.0 and looks at the order of keys: two values that print the same.
  bool identical(const Value& other) const;

  /// An estimate of the bytes this value keeps alive, counting shared storage in full.
  std::size_t memory_bytes() const;

 private:
  struct ArrayRep;
  struct ObjectRep;
  std::string_view text_rep() const;
  void retain() const noexcept;
  void release() noexcept;

  ValueType type_;
  union {
    bool boolean;
    std::int64_t integer;
    double number;
    Text::Rep* text;
    ArrayRep* array;
    ObjectRep* object;
  } as_;
};

/// Members in the order they were first set. Small objects are searched in order, large ones through a hash index.
class Object {
 public:
  struct Member {
    Text key;
    Value value;
  };
  using const_iterator = std::vector<Member>::const_iterator;

  Object() = default;
  Object(std::initializer_list<Member> members);

  std::size_t size() const { return members_.size(); }
  bool empty() const { return members_.empty(); }
  const_iterator begin() const { return members_.begin(); }
  const_iterator end() const { return members_.end(); }
  const Value* find(std::string_view key) const;
  Value* find_mutable(std::string_view key);
  bool contains(std::string_view key) const { return find(key) != nullptr; }
  /// The member called `key`, made null first when there is none.
  Value& operator[](const Text& key);
  void set(Text key, Value value);
  bool erase(std::string_view key);
  void reserve(std::size_t members) { members_.reserve(members); }
  void clear();
  bool operator==(const Object& other) const;

 private:
  std::size_t position(std::string_view key) const;
  void reindex();

  std::vector<Member> members_;
  std::vector<std::uint32_t> index_;  // open addressing over members_, positions + 1; empty while the object is small
};

/// `object({{"a", 1}, {"b", "x"}})` and `array({1, 2})`: literals that read like the JSON they make.
inline Value object(std::initializer_list<Object::Member> members) { return Value(Object(members)); }
inline Value array(std::initializer_list<Value> items) { return Value(Array(items)); }

}  // namespace mapflow
