// The functions that every template can call, and the methods of what they make.
#include <algorithm>

#include "jinja/builtins.h"
#include "jinja/environment_state.h"
#include "jinja/lookup.h"

namespace mapflow::jinja::detail {

namespace {

Cell range(Vm& vm, const Cell* a, const Args&) {
  Range made{0, 0, 1, 0};
  const bool one = !given(a[2]);
  made.start = one ? 0 : index(vm, a[1]);
  made.stop = index(vm, one ? a[1] : a[2]);
  made.step = integer_or(vm, a[3], 1);
  if (made.step == 0) vm.value_error("range() arg 3 must not be zero");
  const auto distance = [](std::int64_t from, std::int64_t to) {
    return static_cast<std::uint64_t>(to) - static_cast<std::uint64_t>(from);
  };
  std::uint64_t size = 0;
  if (made.step > 0 && made.start < made.stop)
    size = (distance(made.start, made.stop) - 1) / static_cast<std::uint64_t>(made.step) + 1;
  if (made.step < 0 && made.start > made.stop)
    size = (distance(made.stop, made.start) - 1) / (0 - static_cast<std::uint64_t>(made.step)) + 1;
  if (size > vm.limits.range_items)
    vm.limit_error("range() has more items than its limit of " + std::to_string(vm.limits.range_items));
  made.size = static_cast<std::int64_t>(size);
  return Cell::made(Kind::range, vm.arena.make<Range>(made));
}

Cell dict(Vm& vm, const Cell* a, const Args& rest) {
  const Cell made = vm.dict();
  Dict& members = *made.as<Dict>();
  if (given(a[1])) {
    if (a[1].is(Kind::undefined)) vm.fail_undefined(a[1]);
    if (a[1].is_dict()) {
      Entries entries(vm, a[1]);
      for (Cell key, value; entries.next(vm, key, value);) vm.set(members, key, value);
    } else {
      Walk walk(vm, a[1]);
      for (Cell item; walk.next(vm, item);) {
        const Cell pair = to_list(vm, item);
        if (pair.as<List>()->size != 2)
          vm.value_error("dictionary update sequence element has length " + std::to_string(pair.as<List>()->size) +
                         "; 2 is required");
        vm.set(members, pair.as<List>()->items[0], pair.as<List>()->items[1]);
      }
    }
  }
  for (std::uint32_t i = 0; i < rest.named_count; ++i)
    vm.set(members, Cell::borrowed(rest.named[i].name), rest.named[i].value);
  return made;
}

Cell space(Vm& vm, const Cell* a, const Args& rest) {
  const Cell members = dict(vm, a, rest);
  return Cell::made(Kind::space, vm.arena.make<Space>(members.as<Dict>()));
}

Cell cycler(Vm& vm, const Cell*, const Args& rest) {
  if (rest.count == 0) vm.value_error("at least one item has to be provided");
  const Cell items = vm.list(rest.count);
  for (std::uint32_t i = 0; i < rest.count; ++i) vm.append(*items.as<List>(), rest.positional[i]);
  return Cell::made(Kind::cycler, vm.arena.make<Cycler>(items.as<List>(), 0u));
}

Cell joiner(Vm& vm, const Cell* a, const Args&) {
  return Cell::made(Kind::joiner, vm.arena.make<Joiner>(given(a[1]) ? a[1] : Cell::borrowed(", "), false));
}

// Filler text. Jinja2 draws it at random; here the same arguments always give the same text.
Cell lipsum(Vm& vm, const Cell* a, const Args&) {
  static constexpr std::string_view words[] = {
      "lorem",   "ipsum",  "dolor",      "sit", "amet",   "consectetur", "adipiscing", "elit",  "sed",   "do",
      "eiusmod", "tempor", "incididunt", "ut",  "labore", "et",          "dolore",     "magna", "aliqua"};
  const std::int64_t paragraphs = integer_or(vm, a[1], 5), most = integer_or(vm, a[4], 100);
  const bool html = truth_or(vm, a[2], true);
  Capture capture(vm);
  std::size_t at = 0;
  for (std::int64_t p = 0; p < paragraphs; ++p) {
    if (p > 0) vm.out.append(html ? std::string_view("\n") : std::string_view("\n\n"));
    if (html) vm.out.append(std::string_view("<p>"));
    for (std::int64_t w = 0; w + 1 < std::max<std::int64_t>(most, 2); ++w, ++at) {
      vm.tick();
      std::string word(words[at % std::size(words)]);
      if (w == 0) word[0] = static_cast<char>(word[0] - 32);
      if (w > 0) vm.out.push(' ');
      vm.out.append(word);
    }
    vm.out.push('.');
    if (html) vm.out.append(std::string_view("</p>"));
  }
  return capture.finish(html);
}

constexpr FunctionSpec kTable[] = {
    {"range", range, "/start,/stop,/step", 1},
    {"dict", dict, "/mapping", 0, false, true},
    {"namespace", space, "/mapping", 0, false, true},
    {"cycler", cycler, "", 0, true},
    {"joiner", joiner, "sep"},
    {"lipsum", lipsum, "n,html,min,max"},
};

// --- loop and cycler ----------------------------------------------------------------------------------------------

Cell cycle(Vm& vm, const Cell* a, const Args& rest) {
  if (rest.count == 0) vm.type_error("no items for cycling given");
  return rest.positional[static_cast<std::uint64_t>(a[0].as<Loop>()->index0) % rest.count];
}

Cell changed(Vm& vm, const Cell* a, const Args& rest) {
  Loop& loop = *a[0].as<Loop>();
  const Cell now = vm.list(rest.count, Kind::tuple);
  for (std::uint32_t i = 0; i < rest.count; ++i) vm.append(*now.as<List>(), rest.positional[i]);
  if (!loop.changed.is(Kind::unset) && equal(vm, loop.changed, now)) return Cell::of(false);
  loop.changed = now;
  return Cell::of(true);
}

Cell next(Vm&, const Cell* a, const Args&) {
  Cycler& cycler = *a[0].as<Cycler>();
  const Cell item = cycler.items->items[cycler.position];
  cycler.position = (cycler.position + 1) % cycler.items->size;
  return item;
}

Cell reset(Vm&, const Cell* a, const Args&) {
  a[0].as<Cycler>()->position = 0;
  return Cell::none();
}

constexpr FunctionSpec kCycle{"cycle", cycle, "", 0, true};
constexpr FunctionSpec kChanged{"changed", changed, "", 0, true};
constexpr FunctionSpec kNext{"next", next};
constexpr FunctionSpec kReset{"reset", reset};

}  // namespace

std::span<const FunctionSpec> native_globals() { return kTable; }
const FunctionSpec& loop_cycle() { return kCycle; }
const FunctionSpec& loop_changed() { return kChanged; }
const FunctionSpec& cycler_next() { return kNext; }
const FunctionSpec& cycler_reset() { return kReset; }

}  // namespace mapflow::jinja::detail
