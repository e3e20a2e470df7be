// Filters that apply other filters or tests to each item. They are lazy: an item is looked at when it is asked for.
#include "jinja/builtins.h"
#include "jinja/environment_state.h"

namespace mapflow::jinja::detail {

namespace {

// Further arguments, kept for as long as items are asked for.
Args kept(Vm& vm, const Args& args, std::uint32_t from) {
  Args copy;
  copy.count = args.count > from ? args.count - from : 0;
  auto* cells = vm.arena.array<Cell>(copy.count);
  for (std::uint32_t i = 0; i < copy.count; ++i) cells[i] = args.positional[from + i];
  copy.positional = cells;
  copy.named_count = args.named_count;
  auto* named = vm.arena.array<Named>(copy.named_count);
  for (std::uint32_t i = 0; i < copy.named_count; ++i) named[i] = args.named[i];
  copy.named = named;
  return copy;
}

// The source is only opened when the first item is asked for, as generators do.
struct Lazy : Iterator {
  explicit Lazy(Cell source) : source(source) {}
  bool pull(Vm& vm, Cell& out) {
    vm.tick();
    if (!open) {
      if (finished) return false;
      if (!truth(vm, source)) {
        finished = true;
        return false;
      }
      open = vm.arena.make<Walk>(vm, source);
      prepare(vm);
    }
    return open->next(vm, out);
  }
  virtual void prepare(Vm& vm) = 0;
  Cell source;
  Walk* open = nullptr;
  bool finished = false;

 protected:
  ~Lazy() = default;
};

struct Mapped final : Lazy {
  Mapped(Cell source, Args args) : Lazy(source), args(args), path_(nullptr) {}
  void prepare(Vm& vm) override {
    Cell attribute = Cell::unset(), otherwise = Cell::unset();
    for (std::uint32_t i = 0; i < args.named_count && args.count == 0; ++i)
      if (args.named[i].name == "attribute") attribute = args.named[i].value;
    if (given(attribute)) {
      for (std::uint32_t i = 0; i < args.named_count; ++i) {
        if (args.named[i].name == "default")
          otherwise = args.named[i].value;
        else if (args.named[i].name != "attribute")
          vm.value_error("Unexpected keyword argument '" + std::string(args.named[i].name) + "'");
      }
      path_ = vm.arena.make<AttributePath>(vm, attribute, otherwise);
      return;
    }
    if (args.count == 0) vm.value_error("map requires a filter argument");
    filter.name = text_argument(vm, args.positional[0], "the name of a filter");
    args = kept(vm, args, 1);
  }
  bool next(Vm& vm, Cell& out) override {
    Cell item;
    if (!pull(vm, item)) return false;
    out = path_ ? path_->of(vm, item) : call_filter(vm, filter, item, args);
    return true;
  }
  Args args;
  NamedCallee filter;
  AttributePath* path_;
};

struct Selected final : Lazy {
  Selected(Cell source, Args args, bool wanted, bool by_attribute)
      : Lazy(source), args(args), wanted(wanted), by_attribute(by_attribute) {}
  void prepare(Vm& vm) override {
    std::uint32_t used = 0;
    if (by_attribute) {
      if (args.count == 0) vm.value_error("Missing parameter for attribute name");
      path = vm.arena.make<AttributePath>(vm, args.positional[used++]);
    }
    if (args.count > used) {
      test.name = text_argument(vm, args.positional[used++], "the name of a test");
      tests = true;
    }
    args = kept(vm, args, used);
  }
  bool next(Vm& vm, Cell& out) override {
    while (pull(vm, out)) {
      const Cell looked_at = path ? path->of(vm, out) : out;
      if ((tests ? call_test(vm, test, looked_at, args) : truth(vm, looked_at)) == wanted) return true;
    }
    return false;
  }
  Args args;
  NamedCallee test;
  AttributePath* path = nullptr;
  bool tests = false;
  bool wanted;
  bool by_attribute;
};

Cell map(Vm& vm, const Cell* a, const Args& rest) {
  auto* made = new (vm.arena.allocate(sizeof(Mapped))) Mapped(a[0], kept(vm, rest, 0));
  return Cell::made(Kind::iterator, static_cast<Iterator*>(made));
}

template <bool wanted, bool by_attribute>
Cell choose(Vm& vm, const Cell* a, const Args& rest) {
  auto* made = new (vm.arena.allocate(sizeof(Selected))) Selected(a[0], kept(vm, rest, 0), wanted, by_attribute);
  return Cell::made(Kind::iterator, static_cast<Iterator*>(made));
}

constexpr FunctionSpec kTable[] = {
    {"map", map, "", 0, true, true},
    {"reject", choose<false, false>, "", 0, true, true},
    {"rejectattr", choose<false, true>, "", 0, true, true},
    {"select", choose<true, false>, "", 0, true, true},
    {"selectattr", choose<true, true>, "", 0, true, true},
};

}  // namespace

std::span<const FunctionSpec> select_filters() { return kTable; }

}  // namespace mapflow::jinja::detail
