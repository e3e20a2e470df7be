// The value of a running template: what JSON has, and what only a template has.
//
// A Cell is two words, copied freely. Numbers are held in place. Texts are a pointer and a length into bytes that
// outlive the render: the host's data, the program's constants or the render's arena. Arrays and objects of the
// host's data are borrowed as they are (data_list, data_dict) and read element by element; lists and dicts that the
// template makes live in the arena and can be changed.
#pragma once

#include <cstdint>
#include <string_view>

#include "value/value.h"

namespace mapflow::jinja::detail {

class Vm;
struct Program;

enum class Kind : std::uint8_t {
  unset,  ///< no value: a slot not yet filled, an argument not given. Never seen by templates
  undefined,
  none,
  boolean,
  integer,
  bigint,
  number,
  text,  ///< with kMarkup among the flags: text that needs no escaping
  list,
  data_list,
  tuple,
  dict,
  data_dict,
  range,
  view,      ///< keys(), values() or items() of a dict
  iterator,  ///< what a lazy filter gives; runs out once walked
  function,
  method,
  macro,
  loop,
  space,  ///< namespace()
  module,
  self,
  block,  ///< self.name, super
  cycler,
  joiner,
};

inline constexpr std::uint8_t kMarkup = 1;
inline constexpr std::uint8_t kLenient = 1;  ///< on an undefined value: never strict
inline constexpr std::uint8_t kMissing = 1;  ///< on an unset slot: do not look the name up in the scope

struct Cell {
  union {
    bool boolean;
    std::int64_t integer;
    double number;
    const char* bytes;
    const Value* value;
    void* object;
  };
  std::uint32_t size;
  Kind kind;
  std::uint8_t flags;
  std::uint16_t spare;

  static Cell plain(Kind kind) {
    Cell cell;
    cell.integer = 0;
    cell.size = 0;
    cell.kind = kind;
    cell.flags = 0;
    cell.spare = 0;
    return cell;
  }
  static Cell none() { return plain(Kind::none); }
  static Cell unset() { return plain(Kind::unset); }
  static Cell of(bool flag) {
    Cell cell = plain(Kind::boolean);
    cell.boolean = flag;
    return cell;
  }
  static Cell of(std::int64_t number) {
    Cell cell = plain(Kind::integer);
    cell.integer = number;
    return cell;
  }
  static Cell of(double number) {
    Cell cell = plain(Kind::number);
    cell.number = number;
    return cell;
  }
  /// A text whose bytes are already where they will stay.
  static Cell borrowed(std::string_view text, bool markup = false) {
    Cell cell = plain(Kind::text);
    cell.bytes = text.data();
    cell.size = static_cast<std::uint32_t>(text.size());
    cell.flags = markup ? kMarkup : 0;
    return cell;
  }
  static Cell made(Kind kind, const void* object) {
    Cell cell = plain(kind);
    cell.object = const_cast<void*>(object);
    return cell;
  }

  bool is(Kind wanted) const { return kind == wanted; }
  bool is_text() const { return kind == Kind::text; }
  bool is_markup() const { return kind == Kind::text && flags == kMarkup; }
  bool is_int() const { return kind == Kind::integer || kind == Kind::bigint || kind == Kind::boolean; }
  bool is_number() const { return is_int() || kind == Kind::number; }
  bool is_list() const { return kind == Kind::list || kind == Kind::data_list; }
  bool is_dict() const { return kind == Kind::dict || kind == Kind::data_dict; }
  bool is_sequence() const { return is_list() || kind == Kind::tuple; }
  std::string_view text() const { return {bytes, size}; }
  template <class T>
  T* as() const {
    return static_cast<T*>(object);
  }
};
static_assert(sizeof(Cell) == 16);

/// A name and a value, of a keyword argument.
struct Named {
  std::string_view name;
  Cell value;
};

/// The arguments of a call, already evaluated.
struct Args {
  const Cell* positional = nullptr;
  std::uint32_t count = 0;
  const Named* named = nullptr;
  std::uint32_t named_count = 0;
  std::uint32_t unpacked_count = 0;  ///< of the named ones, the last so many stood in a dict behind `**`
};

/// A list or a tuple.
struct List {
  Cell* items = nullptr;
  std::uint32_t size = 0;
  std::uint32_t capacity = 0;
  std::uint32_t grouped = 0;  ///< a tuple of groupby: its elements are also .grouper and .list
};

/// A dict: entries in order of insertion, found through a table of positions once there are many.
struct Dict {
  struct Entry {
    Cell key;  ///< unset where an entry was removed
    Cell value;
    std::uint64_t hash;
  };
  Entry* entries = nullptr;
  std::uint32_t used = 0;  ///< entries, removed ones included
  std::uint32_t size = 0;
  std::uint32_t capacity = 0;
  std::uint32_t* table = nullptr;  ///< position + 1, or 0; open addressing
  std::uint32_t table_size = 0;
};

struct Range {
  std::int64_t start, stop, step, size;
};

struct View {
  enum class Part : std::uint8_t { keys, values, items } part;
  Cell dict;
};

/// Something that gives its elements one by one, once.
struct Iterator {
  virtual bool next(Vm& vm, Cell& out) = 0;
  std::string_view type = "generator";

 protected:
  ~Iterator() = default;
};

/// Why there is no value.
struct Missing {
  enum class What : std::uint8_t { name, attribute, item, parameter, blocked, plain } what;
  std::string_view name;   ///< of the name, attribute or parameter; the whole message for plain
  Cell object;             ///< what was looked into, or unset
  Cell key;                ///< for an item: the subscript
  const Program* program;  ///< where it was asked for
  std::uint32_t at;
};

struct Space {
  Dict* members;
};

struct Cycler {
  List* items;
  std::uint32_t position;
};

struct Joiner {
  Cell separator;
  bool used;
};

using Native = Cell (*)(Vm& vm, const Cell* bound, const Args& rest);

constexpr std::uint8_t count_names(std::string_view names) {
  std::uint8_t count = names.empty() ? 0 : 1;
  for (const char c : names) count = static_cast<std::uint8_t>(count + (c == ','));
  return count;
}

/// A built-in filter, test, function or method, and the shape of its arguments. It is run with the filtered or tested
/// value, or the method's object, and then one cell for each parameter, unset where it was not given.
struct FunctionSpec {
  std::string_view name;
  Native run;
  std::string_view parameters = {};  ///< "a,b": what may be given by position or by name; "/a": by position only
  std::uint8_t required = 0;         ///< how many of them must be given
  bool rest = false;                 ///< takes any further positional arguments
  bool rest_named = false;           ///< takes any further named arguments
  std::uint8_t count = count_names(parameters);
};

/// A function of the host or of this library, as a value.
struct Function {
  const FunctionSpec* native;  ///< or null for a host's function
  const void* host;            ///< HostFunction*
  std::string_view name;
};

struct Method {
  const FunctionSpec* native;
  Cell self;
};

}  // namespace mapflow::jinja::detail
