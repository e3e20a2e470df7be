#include "value/value.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <new>

namespace mapflow {

namespace {

constexpr std::size_t kIndexedFrom = 12;  // members; below this a linear search is faster than hashing

template <class Rep>
bool last_holder(Rep* rep) {
  return rep->holders.load(std::memory_order_acquire) == 1 ||
         rep->holders.fetch_sub(1, std::memory_order_acq_rel) == 1;
}

}  // namespace

struct Value::ArrayRep {
  std::atomic<std::uint32_t> holders{1};
  Array items;
};

struct Value::ObjectRep {
  std::atomic<std::uint32_t> holders{1};
  Object members;
};

std::string_view to_string(ValueType type) {
  switch (type) {
    case ValueType::null: return "null";
    case ValueType::boolean: return "boolean";
    case ValueType::integer: return "integer";
    case ValueType::number: return "number";
    case ValueType::text: return "string";
    case ValueType::array: return "array";
    case ValueType::object: return "object";
  }
  return "unknown";
}

// --- Text ---------------------------------------------------------------------------------------------------------

Text::Text(std::string_view text) {
  if (text.empty()) return;
  ensure(text.size() <= UINT32_MAX, "a text is under 4 GiB");
  rep_ = new (::operator new(sizeof(Rep) + text.size())) Rep;
  rep_->size = static_cast<std::uint32_t>(text.size());
  std::memcpy(rep_->bytes(), text.data(), text.size());
}

void Text::release() noexcept {
  if (rep_ && last_holder(rep_)) {
    rep_->~Rep();
    ::operator delete(rep_);
  }
}

// --- Value: construction and storage ------------------------------------------------------------------------------

Value::Value(Text text) noexcept : type_(ValueType::text) { as_.text = std::exchange(text.rep_, nullptr); }
Value::Value(Array items) : type_(ValueType::array) { as_.array = new ArrayRep{1, std::move(items)}; }
Value::Value(Object members) : type_(ValueType::object) { as_.object = new ObjectRep{1, std::move(members)}; }

void Value::retain() const noexcept {
  switch (type_) {
    case ValueType::text:
      if (as_.text) as_.text->holders.fetch_add(1, std::memory_order_relaxed);
      break;
    case ValueType::array: as_.array->holders.fetch_add(1, std::memory_order_relaxed); break;
    case ValueType::object: as_.object->holders.fetch_add(1, std::memory_order_relaxed); break;
    default: break;
  }
}

void Value::release() noexcept {
  switch (type_) {
    case ValueType::text: { const Text last(as_.text); break; }  // its destructor lets go
    case ValueType::array:
      if (last_holder(as_.array)) delete as_.array;
      break;
    case ValueType::object:
      if (last_holder(as_.object)) delete as_.object;
      break;
    default: break;
  }
}

// --- Value: reading -----------------------------------------------------------------------------------------------

std::string_view Value::text_rep() const {
  return as_.text ? std::string_view(as_.text->bytes(), as_.text->size) : std::string_view();
}

double Value::as_double() const {
  if (type_ == ValueType::number) return as_.number;
  ensure(is_integer(), "value is a number");
  return static_cast<double>(as_.integer);
}

Text Value::shared_text() const {
  ensure(is_text(), "value is a text");
  Text text(as_.text);
  text.retain();
  return text;
}

const Array& Value::as_array() const {
  ensure(is_array(), "value is an array");
  return as_.array->items;
}

const Object& Value::as_object() const {
  ensure(is_object(), "value is an object");
  return as_.object->members;
}

const Value* Value::find(std::string_view key) const { return is_object() ? as_.object->members.find(key) : nullptr; }

const Value* Value::find_path(std::string_view dotted) const {
  const Value* at = this;
  while (at) {
    const auto dot = dotted.find('.');
    const auto part = dotted.substr(0, dot);
    if (at->is_array()) {
      std::size_t number = 0;
      const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), number);
      const bool whole = error == std::errc() && end == part.data() + part.size();
      at = whole && number < at->size() ? &at->as_array()[number] : nullptr;
    } else {
      at = at->find(part);
    }
    if (dot == std::string_view::npos) return at;
    dotted.remove_prefix(dot + 1);
  }
  return nullptr;
}

std::size_t Value::size() const {
  switch (type_) {
    case ValueType::text: return text_rep().size();
    case ValueType::array: return as_.array->items.size();
    case ValueType::object: return as_.object->members.size();
    default: return 0;
  }
}

// --- Value: changes -----------------------------------------------------------------------------------------------

Array& Value::mutable_array() {
  if (is_null()) *this = Value(Array{});
  ensure(is_array(), "value is an array");
  if (as_.array->holders.load(std::memory_order_acquire) != 1) *this = Value(Array(as_.array->items));
  return as_.array->items;
}

Object& Value::mutable_object() {
  if (is_null()) *this = Value(Object{});
  ensure(is_object(), "value is an object");
  if (as_.object->holders.load(std::memory_order_acquire) != 1) *this = Value(Object(as_.object->members));
  return as_.object->members;
}

void Value::set(Text key, Value value) { mutable_object().set(std::move(key), std::move(value)); }
void Value::push_back(Value value) { mutable_array().push_back(std::move(value)); }
bool Value::erase(std::string_view key) { return find(key) && mutable_object().erase(key); }

Status Value::set_path(std::string_view dotted, Value value) {
  const auto dot = dotted.find('.');
  const auto part = dotted.substr(0, dot);
  if (part.empty()) return fail(code::invalid_input, "a dotted name has an empty part");
  Value* slot = nullptr;
  if (is_array()) {
    std::size_t number = 0;
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), number);
    if (error != std::errc() || end != part.data() + part.size() || number >= size())
      return fail(code::invalid_input, "'" + std::string(part) + "' is no index of this array");
    slot = &mutable_array()[number];
  } else if (is_null() || is_object()) {
    slot = &mutable_object()[part];
  } else {
    return fail(code::invalid_input, "cannot set '" + std::string(part) + "' in a " + std::string(to_string(type_)));
  }
  if (dot == std::string_view::npos) {
    *slot = std::move(value);
    return {};
  }
  return slot->set_path(dotted.substr(dot + 1), std::move(value));
}

// --- Value: comparison and size -----------------------------------------------------------------------------------

bool Value::operator==(const Value& other) const {
  if (is_number() && other.is_number()) {
    if (is_integer() && other.is_integer()) return as_.integer == other.as_.integer;
    return as_double() == other.as_double();
  }
  if (type_ != other.type_) return false;
  switch (type_) {
    case ValueType::boolean: return as_.boolean == other.as_.boolean;
    case ValueType::text: return as_.text == other.as_.text || text_rep() == other.text_rep();
    case ValueType::array: return as_.array == other.as_.array || as_.array->items == other.as_.array->items;
    case ValueType::object: return as_.object == other.as_.object || as_.object->members == other.as_.object->members;
    default: return true;
  }
}

bool Value::identical(const Value& other) const {
  if (type_ != other.type_) return false;
  if (is_array()) {
    return std::ranges::equal(as_array(), other.as_array(),
                              [](const Value& a, const Value& b) { return a.identical(b); });
  }
  if (is_object()) {
    return std::ranges::equal(as_object(), other.as_object(), [](const Object::Member& a, const Object::Member& b) {
      return a.key == b.key && a.value.identical(b.value);
    });
  }
  return *this == other;
}

std::size_t Value::memory_bytes() const {
  std::size_t bytes = sizeof(Value);
  switch (type_) {
    case ValueType::text: return bytes + 8 + size();
    case ValueType::array:
      for (const Value& item : as_array()) bytes += item.memory_bytes();
      return bytes + 32;
    case ValueType::object:
      for (const auto& [key, value] : as_object()) bytes += 16 + key.size() + value.memory_bytes();
      return bytes + 56;
    default: return bytes;
  }
}

// --- Object -------------------------------------------------------------------------------------------------------

namespace {

constexpr std::size_t kAbsent = static_cast<std::size_t>(-1);

/// Keys of one object are often of one length and begin alike ("step_1", "step_2"): the last byte tells most of them apart.
bool same_key(const Text& one, std::string_view other) {
  const std::string_view text = one.view();
  if (text.size() != other.size()) return false;
  return text.empty() || (text.back() == other.back() && std::memcmp(text.data(), other.data(), text.size()) == 0);
}

std::size_t search(const std::vector<Object::Member>& members, std::string_view key) {
  for (std::size_t i = 0; i < members.size(); ++i)
    if (same_key(members[i].key, key)) return i;
  return kAbsent;
}

}  // namespace

Object::Object(std::initializer_list<Member> members) {
  members_.reserve(members.size());
  for (const Member& member : members) {
    const std::size_t at = search(members_, member.key);
    if (at == kAbsent) members_.push_back(member);
    else members_[at].value = member.value;
  }
  reindex();
}

std::size_t Object::position(std::string_view key) const {
  if (index_.empty()) return search(members_, key);
  const std::size_t mask = index_.size() - 1;
  for (std::size_t slot = std::hash<std::string_view>{}(key) & mask;; slot = (slot + 1) & mask) {
    if (index_[slot] == 0) return kAbsent;
    if (members_[index_[slot] - 1].key.view() == key) return index_[slot] - 1;
  }
}

void Object::reindex() {
  index_.clear();
  if (members_.size() < kIndexedFrom) return;
  std::size_t slots = 32;
  while (slots < members_.size() * 3) slots *= 2;
  index_.assign(slots, 0);
  for (std::size_t i = 0; i < members_.size(); ++i) {
    std::size_t slot = std::hash<std::string_view>{}(members_[i].key.view()) & (slots - 1);
    while (index_[slot] != 0) slot = (slot + 1) & (slots - 1);
    index_[slot] = static_cast<std::uint32_t>(i + 1);
  }
}

const Value* Object::find(std::string_view key) const {
  const std::size_t at = position(key);
  return at == kAbsent ? nullptr : &members_[at].value;
}

Value* Object::find_mutable(std::string_view key) { return const_cast<Value*>(std::as_const(*this).find(key)); }

Value& Object::operator[](const Text& key) {
  const std::size_t at = position(key);
  if (at != kAbsent) return members_[at].value;
  members_.push_back({key, Value()});
  if (index_.empty() || members_.size() * 2 > index_.size()) {
    reindex();
  } else {
    std::size_t slot = std::hash<std::string_view>{}(key.view()) & (index_.size() - 1);
    while (index_[slot] != 0) slot = (slot + 1) & (index_.size() - 1);
    index_[slot] = static_cast<std::uint32_t>(members_.size());
  }
  return members_.back().value;
}

void Object::set(Text key, Value value) { (*this)[key] = std::move(value); }

bool Object::erase(std::string_view key) {
  const std::size_t at = position(key);
  if (at == kAbsent) return false;
  members_.erase(members_.begin() + static_cast<std::ptrdiff_t>(at));
  reindex();
  return true;
}

void Object::clear() {
  members_.clear();
  index_.clear();
}

bool Object::operator==(const Object& other) const {
  if (size() != other.size()) return false;
  for (const auto& [key, value] : members_) {
    const Value* theirs = other.find(key);
    if (!theirs || !(value == *theirs)) return false;
  }
  return true;
}

}  // namespace mapflow
