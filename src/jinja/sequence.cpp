// Lists, dicts and everything else that can be walked.
#include <algorithm>
#include <cstring>
#include <limits>

#include "jinja/runtime.h"
#include "jinja/unicode.h"

namespace mapflow::jinja::detail {

namespace {

constexpr std::uint32_t kIndexedFrom = 8;  // entries; fewer are searched in order

std::uint32_t find_position(Vm& vm, const Dict& dict, Cell key, std::uint64_t key_hash) {
  constexpr auto nowhere = std::numeric_limits<std::uint32_t>::max();
  const auto matches = [&](std::uint32_t at) {
    const Dict::Entry& entry = dict.entries[at];
    return entry.hash == key_hash && !entry.key.is(Kind::unset) && equal(vm, entry.key, key);
  };
  if (dict.table_size == 0) {
    for (std::uint32_t at = 0; at < dict.used; ++at)
      if (matches(at)) return at;
    return nowhere;
  }
  for (auto probe = static_cast<std::uint32_t>(key_hash);; ++probe) {
    const std::uint32_t entry = dict.table[probe & (dict.table_size - 1)];
    if (entry == 0) return nowhere;
    if (matches(entry - 1)) return entry - 1;
  }
}

void rebuild(Vm& vm, Dict& dict, std::uint32_t capacity) {
  auto* entries = vm.arena.array<Dict::Entry>(capacity);
  std::uint32_t used = 0;
  for (std::uint32_t i = 0; i < dict.used; ++i)
    if (!dict.entries[i].key.is(Kind::unset)) entries[used++] = dict.entries[i];
  dict.entries = entries;
  dict.used = used;
  dict.capacity = capacity;
  dict.table_size = 0;
  if (capacity <= kIndexedFrom) return;
  dict.table_size = capacity * 2;
  dict.table = vm.arena.array<std::uint32_t>(dict.table_size);
  std::memset(dict.table, 0, dict.table_size * sizeof(std::uint32_t));
  for (std::uint32_t i = 0; i < used; ++i) {
    auto probe = static_cast<std::uint32_t>(entries[i].hash);
    while (dict.table[probe & (dict.table_size - 1)]) ++probe;
    dict.table[probe & (dict.table_size - 1)] = i + 1;
  }
}

Cell text_at(Cell text, std::uint64_t& at) {
  const std::size_t width = unicode::decode(text.text().substr(at)).width;
  const Cell one = Cell::borrowed(text.text().substr(at, width));
  at += width;
  return one;
}

}  // namespace

// --- lists --------------------------------------------------------------------------------------------------------

Cell Vm::list(std::uint32_t capacity, Kind kind) {
  return Cell::made(kind, arena.make<List>(capacity ? arena.array<Cell>(capacity) : nullptr, 0u, capacity, 0u));
}

void Vm::append(List& list, Cell item) {
  if (list.size == list.capacity) {
    if (list.capacity > std::numeric_limits<std::uint32_t>::max() / 2)
      limit_error("the list is longer than its limit allows");
    const std::uint32_t capacity = std::max(8u, list.capacity * 2);
    auto* items = arena.array<Cell>(capacity);
    if (list.size) std::memcpy(static_cast<void*>(items), list.items, list.size * sizeof(Cell));
    list.items = items;
    list.capacity = capacity;
  }
  list.items[list.size++] = item;
}

Cell make_tuple(Vm& vm, std::initializer_list<Cell> items) {
  const Cell tuple = vm.list(static_cast<std::uint32_t>(items.size()), Kind::tuple);
  for (const Cell item : items) vm.append(*tuple.as<List>(), item);
  return tuple;
}

Cell element(Vm& vm, Cell sequence, std::int64_t at) {
  if (sequence.is(Kind::data_list)) {
    if (vm.changed_data) sequence = vm.current_data(sequence);
    if (sequence.is(Kind::data_list)) return data_cell(vm, sequence.value->as_array()[static_cast<std::size_t>(at)]);
  }
  return sequence.as<List>()->items[at];
}

Cell to_list(Vm& vm, Cell cell) {
  const Cell made = vm.list(0);
  Walk walk(vm, cell);
  for (Cell item; walk.next(vm, item);) {
    vm.tick();
    vm.append(*made.as<List>(), item);
  }
  return made;
}

// --- dicts --------------------------------------------------------------------------------------------------------

Cell Vm::dict() { return Cell::made(Kind::dict, arena.make<Dict>()); }

void Vm::set(Dict& dict, Cell key, Cell value) {
  const std::uint64_t key_hash = hash(*this, key);
  const std::uint32_t found = find_position(*this, dict, key, key_hash);
  if (found != std::numeric_limits<std::uint32_t>::max()) {
    dict.entries[found].value = value;
    return;
  }
  if (dict.used == dict.capacity) {
    const bool roomy = dict.size <= dict.capacity / 2 && dict.capacity > 0;  // mostly removed entries
    if (!roomy && dict.capacity > std::numeric_limits<std::uint32_t>::max() / 4)
      limit_error("the dict is larger than its limit allows");
    rebuild(*this, dict, roomy ? dict.capacity : std::max(4u, dict.capacity * 2));
  }
  const std::uint32_t at = dict.used++;
  dict.entries[at] = {key, value, key_hash};
  ++dict.size;
  if (dict.table_size == 0) return;
  auto probe = static_cast<std::uint32_t>(key_hash);
  while (dict.table[probe & (dict.table_size - 1)]) ++probe;
  dict.table[probe & (dict.table_size - 1)] = at + 1;
}

const Cell* find(Vm& vm, const Dict& dict, Cell key) {
  const std::uint32_t at = find_position(vm, dict, key, hash(vm, key));
  return at == std::numeric_limits<std::uint32_t>::max() ? nullptr : &dict.entries[at].value;
}

const Cell* find(const Dict& dict, std::string_view key) {
  const auto matches = [&](const Dict::Entry& entry) { return entry.key.is_text() && entry.key.text() == key; };
  if (dict.table_size == 0) {
    for (std::uint32_t at = 0; at < dict.used; ++at)
      if (matches(dict.entries[at])) return &dict.entries[at].value;
    return nullptr;
  }
  for (auto probe = static_cast<std::uint32_t>(std::hash<std::string_view>{}(key));; ++probe) {
    const std::uint32_t entry = dict.table[probe & (dict.table_size - 1)];
    if (entry == 0) return nullptr;
    if (matches(dict.entries[entry - 1])) return &dict.entries[entry - 1].value;
  }
}

bool erase(Vm& vm, Dict& dict, Cell key) {
  const std::uint32_t at = find_position(vm, dict, key, hash(vm, key));
  if (at == std::numeric_limits<std::uint32_t>::max()) return false;
  dict.entries[at].key = Cell::unset();
  --dict.size;
  return true;
}

Cell member(Vm& vm, Cell dict, Cell key) {
  if (dict.is(Kind::data_dict)) {
    if (vm.changed_data) dict = vm.current_data(dict);
    if (dict.is(Kind::data_dict)) {
      if (!key.is_text()) {
        hash(vm, key);  // for its failure on what cannot be a key
        return Cell::unset();
      }
      const Value* value = dict.value->find(key.text());
      return value ? data_cell(vm, *value) : Cell::unset();
    }
  }
  const Cell* found = find(vm, *dict.as<Dict>(), key);
  return found ? *found : Cell::unset();
}

bool Entries::next(Vm& vm, Cell& key, Cell& value) {
  if (dict.is(Kind::data_dict)) {
    const Object& object = dict.value->as_object();
    if (at >= object.size()) return false;
    const Object::Member& entry = object.begin()[at++];
    key = Cell::borrowed(entry.key.view());
    value = data_cell(vm, entry.value);
    return true;
  }
  const Dict& made = *dict.as<Dict>();
  while (at < made.used && made.entries[at].key.is(Kind::unset)) ++at;
  if (at >= made.used) return false;
  key = made.entries[at].key;
  value = made.entries[at++].value;
  return true;
}

// --- walking ------------------------------------------------------------------------------------------------------

bool is_iterable(Cell cell) {
  switch (cell.kind) {
    case Kind::undefined:
    case Kind::text:
    case Kind::list:
    case Kind::data_list:
    case Kind::tuple:
    case Kind::dict:
    case Kind::data_dict:
    case Kind::range:
    case Kind::view:
    case Kind::iterator: return true;
    default: return false;
  }
}

Walk::Walk(Vm& vm, Cell source) : source(source) {
  if (source.is(Kind::undefined)) vm.check_strict(source);
  if (!is_iterable(source)) vm.type_error("'" + type_name(source) + "' object is not iterable");
  check_opaque(vm, source);
  if (vm.changed_data) this->source = vm.current_data(source);
}

bool Walk::next(Vm& vm, Cell& out) {
  switch (source.kind) {
    case Kind::data_list: {
      const Array& array = source.value->as_array();
      if (at >= array.size()) return false;
      out = data_cell(vm, array[at++]);
      return true;
    }
    case Kind::list:
    case Kind::tuple: {
      const List& list = *source.as<List>();
      if (at >= list.size) return false;
      out = list.items[at++];
      return true;
    }
    case Kind::text:
      if (at >= source.size) return false;
      out = text_at(source, at);
      return true;
    case Kind::range: {
      const Range& range = *source.as<Range>();
      if (at >= static_cast<std::uint64_t>(range.size)) return false;
      out = Cell::of(range.start + static_cast<std::int64_t>(at++) * range.step);
      return true;
    }
    case Kind::dict:
    case Kind::data_dict:
    case Kind::view: {
      const bool view = source.is(Kind::view);
      Entries entries(vm, view ? source.as<View>()->dict : source);
      entries.at = static_cast<std::uint32_t>(at);
      Cell key, value;
      if (!entries.next(vm, key, value)) return false;
      at = entries.at;
      const auto part = view ? source.as<View>()->part : View::Part::keys;
      out = part == View::Part::keys ? key : part == View::Part::values ? value : make_tuple(vm, {key, value});
      return true;
    }
    case Kind::iterator: return source.as<Iterator>()->next(vm, out);
    default: return false;
  }
}

std::optional<std::int64_t> length_of(Vm& vm, Cell cell) {
  if (vm.changed_data) cell = vm.current_data(cell);
  switch (cell.kind) {
    case Kind::text: vm.tick(cell.size / 32); return static_cast<std::int64_t>(unicode::length(cell.text()));
    case Kind::list:
    case Kind::tuple: return cell.as<List>()->size;
    case Kind::dict: return cell.as<Dict>()->size;
    case Kind::data_list:
    case Kind::data_dict: return static_cast<std::int64_t>(cell.value->size());
    case Kind::range: return cell.as<Range>()->size;
    case Kind::view: return length_of(vm, cell.as<View>()->dict);
    case Kind::undefined: vm.check_strict(cell); return 0;
    default: return std::nullopt;
  }
}

Cell slice(Vm& vm, Cell base, Cell start, Cell stop, Cell step) {
  const std::int64_t by = step.is(Kind::none) ? 1 : index(vm, step, "an index");
  if (by == 0) vm.value_error("slice step cannot be zero");
  const std::int64_t size = *length_of(vm, base);
  const auto bound = [&](Cell given, std::int64_t otherwise) {
    if (given.is(Kind::none)) return otherwise;
    std::int64_t at = index(vm, given, "an index");
    if (at < 0) at = at < -size ? (by < 0 ? -1 : 0) : at + size;
    return std::min(at, by < 0 ? size - 1 : size);
  };
  const std::int64_t from = bound(start, by < 0 ? size - 1 : 0);
  const std::int64_t to = bound(stop, by < 0 ? -1 : size);
  std::int64_t count = 0;
  if (by > 0 && from < to) count = (to - from - 1) / by + 1;
  if (by < 0 && from > to) count = by == std::numeric_limits<std::int64_t>::min() ? 1 : (from - to - 1) / -by + 1;
  vm.tick(static_cast<std::uint64_t>(count));
  if (base.is(Kind::range)) {
    const Range& range = *base.as<Range>();
    const auto value_at = [&](std::int64_t at) {  // the stop may lie past 64 bits, where nobody looks at it
      return static_cast<std::int64_t>(static_cast<std::uint64_t>(range.start) +
                                       static_cast<std::uint64_t>(at) * static_cast<std::uint64_t>(range.step));
    };
    std::int64_t stride = range.step;
    if (__builtin_mul_overflow(range.step, by, &stride)) stride = range.step;  // of no more than one element
    return Cell::made(Kind::range, vm.arena.make<Range>(value_at(from), value_at(to), stride, count));
  }
  if (base.is_text()) {
    const std::string_view text = base.text();
    const bool ascii = static_cast<std::int64_t>(text.size()) == size;
    if (by == 1) {
      const std::size_t first = ascii
                                    ? static_cast<std::size_t>(from)
                                    : unicode::offset(text, static_cast<std::size_t>(std::max<std::int64_t>(from, 0)));
      const std::size_t bytes = count == 0 ? 0
                                : ascii    ? static_cast<std::size_t>(count)
                                           : unicode::offset(text.substr(first), static_cast<std::size_t>(count));
      return Cell::borrowed(count == 0 ? std::string_view("") : text.substr(first, bytes), base.is_markup());
    }
    Capture capture(vm);
    std::vector<std::uint32_t> offsets;
    if (!ascii)
      for (std::size_t at = 0; at < text.size(); at += unicode::decode(text.substr(at)).width)
        offsets.push_back(static_cast<std::uint32_t>(at));
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t at = from + i * by;
      if (ascii)
        vm.out.push(text[static_cast<std::size_t>(at)]);
      else
        vm.out.append(text.substr(offsets[static_cast<std::size_t>(at)],
                                  unicode::decode(text.substr(offsets[static_cast<std::size_t>(at)])).width));
    }
    return capture.finish(base.is_markup());
  }
  const Cell made = vm.list(static_cast<std::uint32_t>(count), base.is(Kind::tuple) ? Kind::tuple : Kind::list);
  for (std::int64_t i = 0; i < count; ++i) vm.append(*made.as<List>(), element(vm, base, from + i * by));
  return made;
}

}  // namespace mapflow::jinja::detail
