// One render in progress: its memory, its output, its frames, its limits.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "jinja/arena.h"
#include "jinja/ast.h"
#include "jinja/cell.h"
#include "jinja/failure.h"
#include "jinja/jinja.h"

namespace mapflow::jinja::detail {

struct EnvironmentState;

/// What names mean to one template of a render, beyond its own slots.
struct Context {
  Dict* exports = nullptr;         ///< what was set at the top level
  Dict* locals = nullptr;          ///< what the includer handed over
  const Context* outer = nullptr;  ///< asked next
  bool sees_scope = true;          ///< false for an import without context: the globals only
  /// The definitions of each block, the most derived first.
  std::unordered_map<std::string_view, std::vector<std::pair<const BlockDef*, const Program*>>>* blocks = nullptr;
  const Program* parent = nullptr;  ///< the template that this one extends
};

struct Frame {
  Cell* slots;
  Frame* outer;  ///< of the unit around this one in the source
  Context* context;
  const Program* program;
  const BlockDef* block = nullptr;  ///< the block whose unit this is, for super()
  std::size_t block_level = 0;
};

struct Macro {
  const MacroDef* def;
  Frame* frame;
  bool autoescape;
};

/// `loop` inside a for.
struct Loop {
  Cell source;  ///< what is walked
  struct Walk* walk;
  const ForStmt* statement = nullptr;  ///< of a recursive loop
  Frame* frame = nullptr;              ///< around that loop
  std::uint32_t depth0 = 0;
  std::int64_t index0 = -1;
  std::int64_t length = -1;                                                      ///< once asked for
  Cell previous = Cell::unset(), current = Cell::unset(), next = Cell::unset();  ///< unset where there is none
  Cell changed = Cell::unset();  ///< what changed() was last called with

  /// Goes to the next element; false when there is none.
  bool advance(Vm& vm);
  /// Whether there is a next element, which is then in `next`.
  bool peek(Vm& vm);
  std::int64_t total(Vm& vm);
};

struct Module {
  Dict* members;
  std::string_view name;
  std::string_view body;
};

struct BlockRef {
  std::string_view name;
  std::size_t level;
  Context* context;
};

class Vm {
 public:
  Vm(const Program& program, const Scope& scope, const Limits& limits);
  Vm(const Vm&) = delete;
  Vm& operator=(const Vm&) = delete;

  Arena arena;
  Sink out;
  const EnvironmentState& environment;
  const Options& options;
  const Limits& limits;
  const Scope& scope;
  const Program* root;     ///< the template that is rendered
  const Program* program;  ///< the one whose source `at` points into
  std::uint32_t at = 0;
  Frame* frame = nullptr;
  std::uint64_t fuel;
  std::uint32_t recursion = 0;
  bool autoescape;
  bool strict;
  bool opaque;              ///< some texts are opaque: operators must look
  const char* stack_floor;  ///< below it the C++ stack must not grow

  [[noreturn]] void fail(FailureClass kind, std::string message, std::string hint = {}) const;
  [[noreturn]] void type_error(std::string message) const { fail(FailureClass::type, std::move(message)); }
  [[noreturn]] void value_error(std::string message) const { fail(FailureClass::other, std::move(message)); }
  [[noreturn]] void limit_error(std::string message) const { fail(FailureClass::limit, std::move(message)); }

  /// Counts work: one for an operation, more for one that walks many bytes or elements.
  void tick(std::uint64_t work = 1) {
    if (fuel < work) [[unlikely]]
      out_of_fuel();
    fuel -= work;
  }
  /// To be called wherever values or calls nest.
  void guard_stack() const {
    if (static_cast<const char*>(__builtin_frame_address(0)) < stack_floor) [[unlikely]]
      limit_error("values or calls are nested too deeply");
  }

  [[noreturn]] void out_of_fuel() const;

  /// A text of these bytes, copied into the arena.
  Cell text(std::string_view bytes, bool markup = false);
  /// Everything written to `out` since `mark`, taken back out of it as a text.
  Cell take(std::size_t mark, bool markup = false);

  Cell list(std::uint32_t capacity, Kind kind = Kind::list);
  void append(List& list, Cell item);
  Cell dict();
  void set(Dict& dict, Cell key, Cell value);
  /// Keeps a host's value alive until the render ends.
  const Value* keep(Value value);

  Cell missing(Missing::What what, std::string_view name, Cell object = Cell::unset(), Cell key = Cell::unset());
  Cell undefined_name(std::string_view name);
  Cell undefined_attribute(Cell object, std::string_view name);
  Cell undefined_item(Cell object, Cell key);
  Cell undefined_blocked(Cell object, std::string_view name);
  Cell undefined_plain(std::string_view message);
  /// Throws what strict undefined values throw when they are used; does nothing when this one is lenient.
  void check_strict(Cell undefined) {
    if (strict && undefined.flags != kLenient) fail_undefined(undefined);
  }
  Cell undefined_parameter(std::string_view name);
  /// Throws what using this undefined value throws.
  [[noreturn]] void fail_undefined(Cell undefined);

  /// The name looked up in the frame's contexts, the scope and the globals.
  Cell look_up(std::string_view name);
  std::vector<std::string> known_names() const;

  /// Templates that this one loaded, by name.
  std::unordered_map<std::string, std::shared_ptr<const Program>> loaded;

  /// The mutable copy of an array or object of the host's data, once a template has changed it; else null.
  std::unordered_map<const void*, Cell>* changed_data = nullptr;
  Cell current_data(Cell cell) const;
  /// A list or dict that can be changed, standing for `cell` from now on.
  Cell changeable(Cell cell);
};

/// Collects a text in vm.out while it lives, under the memory limit instead of the output limit.
class Capture {
 public:
  explicit Capture(Vm& vm) : vm_(vm), mark_(vm.out.size()), limit_(vm.out.limit()) {
    vm.out.set_limit(mark_ + vm.limits.memory_bytes);
  }
  Capture(const Capture&) = delete;
  Capture& operator=(const Capture&) = delete;
  std::size_t mark() const { return mark_; }
  std::string_view so_far() const { return {vm_.out.data() + mark_, vm_.out.size() - mark_}; }
  Cell finish(bool markup = false) {
    const Cell text = vm_.take(mark_, markup);
    vm_.out.set_limit(limit_);
    return text;
  }

 private:
  Vm& vm_;
  std::size_t mark_;
  std::size_t limit_;
};

/// A cell for a piece of the host's data.
inline Cell data_cell(Vm& vm, const Value& value) {
  switch (value.type()) {
    case ValueType::null: return Cell::none();
    case ValueType::boolean: return Cell::of(value.as_bool());
    case ValueType::integer: return Cell::of(value.as_integer());
    case ValueType::number: return Cell::of(value.as_double());
    case ValueType::text: return Cell::borrowed(value.as_text());
    case ValueType::array:
    case ValueType::object: break;
  }
  const Cell cell = Cell::made(value.is_array() ? Kind::data_list : Kind::data_dict, &value);
  return vm.changed_data ? vm.current_data(cell) : cell;
}

}  // namespace mapflow::jinja::detail
