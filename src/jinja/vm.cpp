#include "jinja/vm.h"

#include <cstring>
#include <limits>

#include "jinja/environment_state.h"
#include "jinja/lookup.h"
#include "jinja/nearest.h"
#include "jinja/program.h"
#include "jinja/runtime.h"

namespace mapflow::jinja::detail {

namespace {

// What one render may use of the C++ stack. Threads have 8 MiB by default; code above us needs some of it.
constexpr std::size_t kStackBytes = 2u << 20;

}  // namespace

Vm::Vm(const Program& program, const Scope& scope, const Limits& limits)
    : arena(limits.memory_bytes),
      out(limits.output_bytes),
      environment(*program.environment),
      options(environment.options),
      limits(limits),
      scope(scope),
      root(&program),
      program(&program),
      fuel(limits.instructions),
      autoescape(options.autoescape),
      strict(options.undefined == Undefined::strict),
      opaque(!options.opaque_marker.empty()),
      stack_floor(static_cast<const char*>(__builtin_frame_address(0)) - kStackBytes) {}

void Vm::fail(FailureClass kind, std::string message, std::string hint) const {
  throw Failure{kind, std::move(message), std::move(hint), program, at, nullptr};
}

void Vm::out_of_fuel() const { limit_error("the template runs longer than its limit allows"); }

Cell Vm::text(std::string_view bytes, bool markup) {
  if (bytes.size() > std::numeric_limits<std::uint32_t>::max()) limit_error("the text is longer than its limit allows");
  if (bytes.empty()) return Cell::borrowed("", markup);
  auto* copy = arena.array<char>(bytes.size());
  std::memcpy(copy, bytes.data(), bytes.size());
  return Cell::borrowed({copy, bytes.size()}, markup);
}

Cell Vm::take(std::size_t mark, bool markup) {
  const Cell taken = text({out.data() + mark, out.size() - mark}, markup);
  out.truncate(mark);
  tick(taken.size / 64);
  return taken;
}

const Value* Vm::keep(Value value) {
  auto* kept = arena.make<Value>(std::move(value));
  arena.finalize(kept, [](void* object) { static_cast<Value*>(object)->~Value(); });
  return kept;
}

// --- the host's data, once a template has changed it --------------------------------------------------------------

namespace {

const void* identity(Cell cell) {
  return cell.is(Kind::data_list) ? static_cast<const void*>(&cell.value->as_array()) : &cell.value->as_object();
}

}  // namespace

Cell Vm::current_data(Cell cell) const {
  if (!cell.is(Kind::data_list) && !cell.is(Kind::data_dict)) return cell;
  const auto found = changed_data->find(identity(cell));
  return found == changed_data->end() ? cell : found->second;
}

Cell Vm::changeable(Cell cell) {
  if (!cell.is(Kind::data_list) && !cell.is(Kind::data_dict)) return cell;
  if (!changed_data) {
    using Changes = std::unordered_map<const void*, Cell>;
    changed_data = arena.make<Changes>();
    arena.finalize(changed_data, [](void* object) { static_cast<Changes*>(object)->~Changes(); });
  }
  if (const Cell current = current_data(cell); current.kind != cell.kind) return current;
  Cell copy = cell;
  if (cell.is(Kind::data_list)) {
    copy = to_list(*this, cell);
  } else {
    copy = dict();
    Entries entries(*this, cell);
    for (Cell key, value; entries.next(*this, key, value);) set(*copy.as<Dict>(), key, value);
  }
  arena.charge(64);
  keep(*cell.value);  // its storage must not be given to another value while it is a key here
  changed_data->emplace(identity(cell), copy);
  return copy;
}

// --- undefined ----------------------------------------------------------------------------------------------------

Cell Vm::missing(Missing::What what, std::string_view name, Cell object, Cell key) {
  return Cell::made(Kind::undefined, arena.make<Missing>(what, name, object, key, program, at));
}
Cell Vm::undefined_name(std::string_view name) { return missing(Missing::What::name, name); }
Cell Vm::undefined_attribute(Cell object, std::string_view name) {
  return missing(Missing::What::attribute, name, object);
}
Cell Vm::undefined_item(Cell object, Cell key) { return missing(Missing::What::item, {}, object, key); }
Cell Vm::undefined_blocked(Cell object, std::string_view name) { return missing(Missing::What::blocked, name, object); }
Cell Vm::undefined_parameter(std::string_view name) { return missing(Missing::What::parameter, name); }
Cell Vm::undefined_plain(std::string_view message) { return missing(Missing::What::plain, text(message).text()); }

std::vector<std::string> Vm::known_names() const {
  std::vector<std::string> names;
  const auto add = [&](const Dict* dict) {
    if (!dict) return;
    for (std::uint32_t i = 0; i < dict->used; ++i)
      if (dict->entries[i].key.is_text()) names.emplace_back(dict->entries[i].key.text());
  };
  bool sees_scope = true;
  for (const Context* context = frame ? frame->context : nullptr; context; context = context->outer) {
    add(context->exports);
    add(context->locals);
    sees_scope = context->sees_scope;
  }
  if (sees_scope)
    for (std::string& name : scope.names()) names.push_back(std::move(name));
  for (std::string& name : environment.global_names()) names.push_back(std::move(name));
  return names;
}

void Vm::fail_undefined(Cell undefined) {
  const Missing& missing = *undefined.as<Missing>();
  program = missing.program;
  at = missing.at;
  const auto keys_of = [&](Cell dict) {
    std::vector<std::string> keys;
    Entries entries(*this, dict);
    for (Cell key, value; entries.next(*this, key, value);)
      if (key.is_text()) keys.emplace_back(key.text());
    return keys;
  };
  const auto owner = [&] {
    return missing.object.is(Kind::none) ? std::string("None") : "'" + type_name(missing.object) + " object'";
  };
  const auto no_attribute = [&](std::string_view name) {
    std::string message = owner() + " has no attribute '" + std::string(name) + "'";
    return message +
           did_you_mean(name, missing.object.is_dict() ? keys_of(missing.object) : method_names(missing.object));
  };
  switch (missing.what) {
    case Missing::What::name:
      fail(FailureClass::undefined,
           "'" + std::string(missing.name) + "' is undefined" + did_you_mean(missing.name, known_names()));
    case Missing::What::attribute: fail(FailureClass::undefined, no_attribute(missing.name));
    case Missing::What::item:
      if (missing.key.is_text()) fail(FailureClass::undefined, no_attribute(missing.key.text()));
      fail(FailureClass::undefined, owner() + " has no element " + summary(*this, missing.key));
    case Missing::What::parameter:
      fail(FailureClass::undefined, "parameter '" + std::string(missing.name) + "' was not provided");
    case Missing::What::blocked:
      fail(FailureClass::other, "access to attribute '" + std::string(missing.name) + "' of '" +
                                    type_name(missing.object) + "' object is unsafe.");
    case Missing::What::plain: fail(FailureClass::undefined, std::string(missing.name));
  }
  fail(FailureClass::undefined, "undefined value");
}

// --- names --------------------------------------------------------------------------------------------------------

Cell parent_block(Vm& vm, const BlockRef& block) {
  if (block.level + 1 >= block.context->blocks->at(block.name).size())
    return vm.undefined_plain("there is no parent block called '" + std::string(block.name) + "'.");
  return Cell::made(Kind::block, vm.arena.make<BlockRef>(block.name, block.level + 1, block.context));
}

Cell Vm::look_up(std::string_view name) {
  if (name == "self") return Cell::made(Kind::self, frame->context);
  if (name == "super")
    for (Frame* each = frame; each; each = each->outer)
      if (each->block) return parent_block(*this, {each->block->name, each->block_level, each->context});
  const Context* context = frame->context;
  while (true) {
    if (context->exports)
      if (const Cell* found = find(*context->exports, name)) return *found;
    if (context->locals)
      if (const Cell* found = find(*context->locals, name)) return *found;
    if (!context->outer) break;
    context = context->outer;
  }
  if (context->sees_scope) {
    if (const Value* found = scope.find(name)) return data_cell(*this, *found);
    if (const HostFunction* found = scope.function(name))
      return Cell::made(Kind::function, arena.make<Function>(nullptr, found, name));
  }
  if (const auto found = environment.globals.find(name); found != environment.globals.end())
    return data_cell(*this, found->second);
  if (const auto found = environment.functions.find(name); found != environment.functions.end())
    return Cell::made(Kind::function, arena.make<Function>(nullptr, &found->second, std::string_view(found->first)));
  if (const FunctionSpec* found = native_global(name))
    return Cell::made(Kind::function, arena.make<Function>(found, nullptr, found->name));
  return undefined_name(name);
}

}  // namespace mapflow::jinja::detail
