#include "builder/document.h"

#include <algorithm>

namespace mapflow::builder {

// --- Node ---------------------------------------------------------------------------------------------------------

NodeType Node::type() const { return document_->content(entry_).type; }
const Value& Node::scalar() const { return document_->content(entry_).scalar; }
std::string_view Node::text() const { return is_text() ? scalar().as_text() : std::string_view(); }
std::string_view Node::written() const { return document_->content(entry_).written.view(); }
Mark Node::mark() const { return document_->content(entry_).at; }
TextLayout Node::layout() const { return document_->content(entry_).layout; }
std::string_view Node::key() const { return document_->entries_[entry_].key.view(); }
Mark Node::key_mark() const { return document_->entries_[entry_].key_at; }
Node::Range Node::children() const { return {document_, document_->content(entry_).first}; }

bool Node::is_alias() const { return document_->entries_[entry_].target != 0; }
Span Node::span() const { return entry_ < document_->spans_.size() ? document_->spans_[entry_].value : Span(); }
Span Node::key_span() const { return entry_ < document_->spans_.size() ? document_->spans_[entry_].key : Span(); }

std::size_t Node::size() const {
  std::size_t count = 0;
  for (auto child = children().begin(); child != children().end(); ++child) ++count;
  return count;
}

Node Node::find(std::string_view key) const {
  if (!is_map()) return {};
  for (const Node child : children())
    if (child.key() == key) return child;
  return {};
}

Value Node::to_value() const {
  switch (type()) {
    case NodeType::scalar: return scalar();
    case NodeType::list: {
      Array items;
      for (const Node child : children()) items.push_back(child.to_value());
      return Value(std::move(items));
    }
    case NodeType::map: {
      Object members;
      for (const Node child : children()) members.set(document_->entries_[child.entry_].key, child.to_value());
      return Value(std::move(members));
    }
  }
  return Value();
}

std::string_view Node::kind_name() const {
  switch (type()) {
    case NodeType::list: return "a list";
    case NodeType::map: return "an object";
    case NodeType::scalar: break;
  }
  switch (scalar().type()) {
    case ValueType::null: return "nothing";
    case ValueType::boolean: return "a boolean";
    case ValueType::integer: return "an integer";
    case ValueType::number: return "a number";
    default: return "a text";
  }
}

// --- Document -----------------------------------------------------------------------------------------------------

std::uint32_t Document::push(Entry entry) {
  entries_.push_back(std::move(entry));
  return static_cast<std::uint32_t>(entries_.size() - 1);
}

void Document::append(std::uint32_t parent, std::uint32_t child) {
  Entry& owner = entries_[parent];
  if (owner.last) entries_[owner.last].next = child;
  else owner.first = child;
  owner.last = child;
  const Entry& held = content(child);
  constexpr std::uint32_t kFull = 1u << 30;  // far past every limit, and twice it still fits
  owner.weight = std::min(kFull, owner.weight + held.weight + (entries_[child].key.empty() ? 0 : 1));
  owner.height = std::max<std::uint16_t>(owner.height, static_cast<std::uint16_t>(std::min(held.height + 1, 60'000)));
}

void Document::rename(Node member, std::string_view key) { entries_[member.entry_].key = Text(key); }

void Document::remove(Node map, Node member) {
  const std::uint32_t owner = entries_[map.entry_].target ? entries_[map.entry_].target : map.entry_;
  std::uint32_t before = 0;
  for (std::uint32_t at = entries_[owner].first; at; before = at, at = entries_[at].next) {
    if (at != member.entry_) continue;
    (before ? entries_[before].next : entries_[owner].first) = entries_[at].next;
    if (entries_[owner].last == at) entries_[owner].last = before;
    return;
  }
}

Node Document::make(Value scalar, Mark at) {
  Entry entry;
  entry.scalar = std::move(scalar);
  entry.at = at;
  return {this, push(std::move(entry))};
}

Node Document::make_map(Mark at) {
  Entry entry;
  entry.type = NodeType::map;
  entry.at = at;
  return {this, push(std::move(entry))};
}

void Document::add(Node map, std::string_view key, Mark key_at, Node child) {
  const std::uint32_t target = entries_[child.entry_].target ? entries_[child.entry_].target : child.entry_;
  Entry alias;
  alias.key = Text(key);
  alias.key_at = key_at;
  alias.target = target;
  const std::uint32_t owner = entries_[map.entry_].target ? entries_[map.entry_].target : map.entry_;
  const std::uint32_t entry = push(std::move(alias));
  append(owner, entry);
}

std::uint32_t Document::push_value(const Value& value) {
  Entry entry;
  if (value.is_array()) {
    entry.type = NodeType::list;
    const std::uint32_t list = push(std::move(entry));
    for (const Value& item : value.as_array()) append(list, push_value(item));
    return list;
  }
  if (value.is_object()) {
    entry.type = NodeType::map;
    const std::uint32_t map = push(std::move(entry));
    for (const auto& [key, member] : value.as_object()) {
      const std::uint32_t child = push_value(member);
      entries_[child].key = key;
      append(map, child);
    }
    return map;
  }
  entry.scalar = value;
  return push(std::move(entry));
}

Document Document::of(const Value& value, std::string file) {
  Document document;
  document.file = std::move(file);
  document.root_ = document.push_value(value);
  return document;
}

}  // namespace mapflow::builder
