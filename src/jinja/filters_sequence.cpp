// Filters on sequences and mappings.
#include <algorithm>

#include "jinja/builtins.h"
#include "jinja/environment_state.h"
#include "jinja/lookup.h"
#include "jinja/unicode.h"

namespace mapflow::jinja::detail {

namespace {

Cell default_value(Vm& vm, const Cell* a, const Args&) {
  const bool replace = a[0].is(Kind::undefined) || (truth_or(vm, a[2], false) && !truth(vm, a[0]));
  if (!replace) return a[0];
  return given(a[1]) ? a[1] : Cell::borrowed("");
}

Cell attr(Vm& vm, const Cell* a, const Args&) {
  const std::string_view name = text_argument(vm, a[1], "attribute name");
  // A member of a dict is no attribute, which is the point of this filter.
  AttrName attribute = attr_name(name);
  if (a[0].is(Kind::undefined)) vm.fail_undefined(a[0]);
  if (a[0].is_dict() && !method_of(a[0], attribute) && !name.starts_with("__"))
    return vm.undefined_attribute(a[0], name);
  return get_attribute(vm, a[0], attribute, true);
}

Cell length(Vm& vm, const Cell* a, const Args&) {
  if (const auto size = length_of(vm, a[0])) return Cell::of(*size);
  if (a[0].is(Kind::loop)) return Cell::of(a[0].as<Loop>()->total(vm));
  vm.type_error("object of type '" + type_name(a[0]) + "' has no len()");
}

Cell list(Vm& vm, const Cell* a, const Args&) { return to_list(vm, a[0]); }

Cell first(Vm& vm, const Cell* a, const Args&) {
  Walk walk(vm, a[0]);
  Cell item;
  return walk.next(vm, item) ? item : vm.undefined_plain("No first item, sequence was empty.");
}

// Whether Python can walk it backwards.
bool reversible(Cell cell) {
  return cell.is_text() || cell.is_sequence() || cell.is_dict() || cell.is(Kind::range) || cell.is(Kind::view);
}

Cell reversed_list(Vm& vm, Cell cell) {
  const Cell made = to_list(vm, cell);
  std::reverse(made.as<List>()->items, made.as<List>()->items + made.as<List>()->size);
  return made;
}

struct ListIterator final : Iterator {
  explicit ListIterator(Vm& vm, Cell source) : walk(vm, source) {}
  bool next(Vm& vm, Cell& out) override { return walk.next(vm, out); }
  Walk walk;
};

Cell iterator(Vm& vm, Cell list, std::string_view type) {
  auto* made = new (vm.arena.allocate(sizeof(ListIterator))) ListIterator(vm, list);
  made->type = type;
  return Cell::made(Kind::iterator, static_cast<Iterator*>(made));
}

Cell last(Vm& vm, const Cell* a, const Args&) {
  if (a[0].is(Kind::undefined)) {
    vm.check_strict(a[0]);
    return vm.undefined_plain("No last item, sequence was empty.");
  }
  if (!reversible(a[0])) vm.type_error("'" + type_name(a[0]) + "' object is not reversible");
  if (a[0].is_sequence()) {
    const auto size = *length_of(vm, a[0]);
    return size ? element(vm, a[0], size - 1) : vm.undefined_plain("No last item, sequence was empty.");
  }
  const Cell all = to_list(vm, a[0]);
  const List& items = *all.as<List>();
  return items.size ? items.items[items.size - 1] : vm.undefined_plain("No last item, sequence was empty.");
}

Cell reverse(Vm& vm, const Cell* a, const Args&) {
  if (a[0].is_text()) {
    const Cell letters = reversed_list(vm, a[0]);
    Capture capture(vm);
    for (std::uint32_t i = 0; i < letters.as<List>()->size; ++i) vm.out.append(letters.as<List>()->items[i].text());
    return capture.finish(a[0].is_markup());
  }
  if (!is_iterable(a[0])) vm.value_error("argument must be iterable");
  const Cell made = reversed_list(vm, a[0]);
  const bool lazy = reversible(a[0]) || a[0].is(Kind::undefined);
  return lazy ? iterator(vm, made, a[0].is_list() ? "list_reverseiterator" : "reversed") : made;
}

Cell join(Vm& vm, const Cell* a, const Args&) {
  const AttributePath path(vm, a[2]);
  Cell separator = given(a[1]) ? to_text(vm, a[1]) : Cell::borrowed("");
  bool markup = false;
  Cell source = a[0];
  if (vm.autoescape) {
    // One safe item, or a safe separator, makes everything safe: the rest is escaped.
    const Cell items = vm.list(0);
    markup = separator.is_markup();
    Walk walk(vm, a[0]);
    for (Cell item; walk.next(vm, item);) {
      item = path.of(vm, item);
      markup = markup || item.is_markup();
      vm.append(*items.as<List>(), item);
    }
    source = items;
    if (markup) separator = escaped(vm, separator);
  }
  Walk walk(vm, source);
  Capture capture(vm);
  bool any = false;
  for (Cell item; walk.next(vm, item);) {
    vm.tick();
    if (any) vm.out.append(separator.text());
    any = true;
    if (!vm.autoescape) item = path.of(vm, item);
    if (markup)
      vm.out.append(escaped(vm, item).text());
    else
      append_text(vm, item);
  }
  return capture.finish(markup);
}

// --- order --------------------------------------------------------------------------------------------------------

// Whether keys are compared as they are, or as elements of lists, where equal ones need no order: nones, undefined ones
// and dicts can then be sorted as long as they are equal.
enum class Keys : std::uint8_t { bare, listed };

struct Keyed {
  Cell key;
  Cell item;
};

void sort_by_key(Vm& vm, std::vector<Keyed>& items, Keys keys, bool reverse) {
  vm.arena.charge(items.size() * sizeof(Keyed));
  const auto less = [&](Cell a, Cell b) {
    vm.tick();
    const bool have_order = (a.is_text() && b.is_text()) || (a.is_number() && b.is_number());
    if (keys == Keys::listed && !have_order && equal(vm, a, b)) return false;
    return ordered(vm, a, b, Comparison::lt);
  };
  std::stable_sort(items.begin(), items.end(), [&](const Keyed& x, const Keyed& y) {
    return reverse ? less(y.key, x.key) : less(x.key, y.key);
  });
}

Cell sort(Vm& vm, const Cell* a, const Args&) {
  const bool reverse = truth_or(vm, a[1], false), with_case = truth_or(vm, a[2], false);
  const auto paths = attribute_paths(vm, a[3]);
  std::vector<Keyed> items;
  Walk walk(vm, a[0]);
  for (Cell item; walk.next(vm, item);) {
    vm.tick();
    const Cell keys = vm.list(static_cast<std::uint32_t>(paths.size()), Kind::tuple);
    for (const AttributePath& path : paths) {
      const Cell key = path.of(vm, item);
      vm.append(*keys.as<List>(), with_case ? key : without_case(vm, key));
    }
    items.push_back({paths.size() == 1 ? keys.as<List>()->items[0] : keys, item});
  }
  sort_by_key(vm, items, Keys::listed, reverse);
  const Cell sorted = vm.list(static_cast<std::uint32_t>(items.size()));
  for (const Keyed& each : items) vm.append(*sorted.as<List>(), each.item);
  return sorted;
}

Cell dictsort(Vm& vm, const Cell* a, const Args&) {
  if (a[0].is(Kind::undefined)) vm.fail_undefined(a[0]);
  const bool with_case = truth_or(vm, a[1], false), reverse = truth_or(vm, a[3], false);
  const std::string_view by = given(a[2]) && a[2].is_text() ? a[2].text() : given(a[2]) ? "?" : "key";
  if (by != "key" && by != "value") vm.value_error("You can only sort by either \"key\" or \"value\"");
  if (!a[0].is_dict()) vm.value_error("dictsort needs a dict, not " + type_name(a[0]));
  std::vector<Keyed> items;
  Entries entries(vm, a[0]);
  for (Cell key, value; entries.next(vm, key, value);) {
    const Cell sorted_by = by == "key" ? key : value;
    items.push_back({with_case ? sorted_by : without_case(vm, sorted_by), make_tuple(vm, {key, value})});
  }
  sort_by_key(vm, items, Keys::bare, reverse);
  const Cell sorted = vm.list(static_cast<std::uint32_t>(items.size()));
  for (const Keyed& each : items) vm.append(*sorted.as<List>(), each.item);
  return sorted;
}

Cell groupby(Vm& vm, const Cell* a, const Args&) {
  const bool with_case = truth_or(vm, a[3], false);
  const AttributePath path(vm, a[1], a[2]);
  std::vector<Keyed> items;
  Walk walk(vm, a[0]);
  for (Cell item; walk.next(vm, item);) {
    const Cell key = path.of(vm, item);
    items.push_back({with_case ? key : without_case(vm, key), item});
  }
  sort_by_key(vm, items, Keys::bare, false);
  const Cell groups = vm.list(0);
  for (std::size_t i = 0; i < items.size();) {
    const Cell members = vm.list(0);
    const std::size_t from = i;
    for (; i < items.size() && (i == from || equal(vm, items[i].key, items[from].key)); ++i)
      vm.append(*members.as<List>(), items[i].item);
    const Cell group = make_tuple(vm, {with_case ? items[from].key : path.of(vm, items[from].item), members});
    group.as<List>()->grouped = 1;
    vm.append(*groups.as<List>(), group);
  }
  return groups;
}

struct Unique final : Iterator {
  Unique(Vm& vm, Cell source, bool with_case, const AttributePath& path)
      : walk(vm, source), seen(vm.dict().as<Dict>()), path(path), with_case(with_case) {}
  bool next(Vm& vm, Cell& out) override {
    while (walk.next(vm, out)) {
      vm.tick();
      Cell key = path.of(vm, out);
      if (!with_case) key = without_case(vm, key);
      if (find(vm, *seen, key)) continue;
      vm.set(*seen, key, Cell::none());
      return true;
    }
    return false;
  }
  Walk walk;
  Dict* seen;
  AttributePath path;
  bool with_case;
};

Cell unique(Vm& vm, const Cell* a, const Args&) {
  auto* made =
      new (vm.arena.allocate(sizeof(Unique))) Unique(vm, a[0], truth_or(vm, a[1], false), AttributePath(vm, a[2]));
  return Cell::made(Kind::iterator, static_cast<Iterator*>(made));
}

template <bool greatest>
Cell extreme(Vm& vm, const Cell* a, const Args&) {
  const bool with_case = truth_or(vm, a[1], false);
  const AttributePath path(vm, a[2]);
  Walk walk(vm, a[0]);
  Cell item, best;
  if (!walk.next(vm, best)) return vm.undefined_plain("No aggregated item, sequence was empty.");
  const auto key_of = [&](Cell cell) { return with_case ? path.of(vm, cell) : without_case(vm, path.of(vm, cell)); };
  Cell best_key = key_of(best);
  while (walk.next(vm, item)) {
    const Cell key = key_of(item);
    vm.tick();
    if (greatest ? ordered(vm, key, best_key, Comparison::gt) : ordered(vm, key, best_key, Comparison::lt)) {
      best = item;
      best_key = key;
    }
  }
  return best;
}

Cell sum(Vm& vm, const Cell* a, const Args&) {
  const AttributePath path(vm, a[1]);
  Cell total = given(a[2]) ? a[2] : Cell::of(std::int64_t{0});
  if (total.is_text()) vm.type_error("sum() can't sum strings [use ''.join(seq) instead]");
  Walk walk(vm, a[0]);
  for (Cell item; walk.next(vm, item);) {
    vm.tick();
    total = arithmetic(vm, Arithmetic::add, total, path.of(vm, item));
  }
  return total;
}

// --- pieces -------------------------------------------------------------------------------------------------------

struct Batches final : Iterator {
  Batches(Vm& vm, Cell source, std::int64_t count, Cell fill) : walk(vm, source), count(count), fill(fill) {}
  bool next(Vm& vm, Cell& out) override {
    Cell item = held;
    held = Cell::unset();
    if (item.is(Kind::unset) && !walk.next(vm, item)) return false;
    out = vm.list(0);
    List& batch = *out.as<List>();
    // A batch is given out when the next item shows that it is full, so a count of zero gives all of them one by one.
    do {
      vm.tick();
      if (batch.size == static_cast<std::uint64_t>(count < 0 ? -1 : count) && !(started_empty(batch))) {
        held = item;
        return true;
      }
      vm.append(batch, item);
    } while (walk.next(vm, item));
    if (given_value(fill) && batch.size < count) {
      vm.tick(static_cast<std::uint64_t>(count));
      while (batch.size < count) vm.append(batch, fill);
    }
    return true;
  }
  static bool started_empty(const List& batch) { return batch.size == 0; }
  Walk walk;
  std::int64_t count;
  Cell fill;
  Cell held = Cell::unset();
};

Cell batch(Vm& vm, const Cell* a, const Args&) {
  auto* made = new (vm.arena.allocate(sizeof(Batches))) Batches(vm, a[0], index(vm, a[1]), a[2]);
  return Cell::made(Kind::iterator, static_cast<Iterator*>(made));
}

Cell slices(Vm& vm, const Cell* a, const Args&) {
  const Cell all = to_list(vm, a[0]);
  const List& items = *all.as<List>();
  const std::int64_t count = index(vm, a[1]);
  if (count == 0) vm.value_error("integer division or modulo by zero");
  const Cell made = vm.list(0);
  const std::int64_t each = count > 0 ? items.size / count : 0, extra = count > 0 ? items.size % count : 0;
  std::int64_t at = 0;
  for (std::int64_t slice_number = 0; slice_number < count; ++slice_number) {
    vm.tick();
    const Cell part = vm.list(0);
    for (std::int64_t left = each + (slice_number < extra ? 1 : 0); left > 0; --left)
      vm.append(*part.as<List>(), items.items[at++]);
    if (given_value(a[2]) && slice_number >= extra) vm.append(*part.as<List>(), a[2]);
    vm.append(*made.as<List>(), part);
  }
  return iterator(vm, made, "generator");
}

Cell items(Vm& vm, const Cell* a, const Args&) {
  const Cell made = vm.list(0);
  if (!a[0].is(Kind::undefined)) {
    if (!a[0].is_dict()) vm.type_error("Can only get item pairs from a mapping.");
    Entries entries(vm, a[0]);
    for (Cell key, value; entries.next(vm, key, value);) vm.append(*made.as<List>(), make_tuple(vm, {key, value}));
  }
  return iterator(vm, made, "generator");
}

constexpr FunctionSpec kTable[] = {
    {"attr", attr, "name", 1},
    {"batch", batch, "linecount,fill_with", 1},
    {"count", length},
    {"d", default_value, "default_value,boolean"},
    {"default", default_value, "default_value,boolean"},
    {"dictsort", dictsort, "case_sensitive,by,reverse"},
    {"first", first},
    {"groupby", groupby, "attribute,default,case_sensitive", 1},
    {"items", items},
    {"join", join, "d,attribute"},
    {"last", last},
    {"length", length},
    {"list", list},
    {"max", extreme<true>, "case_sensitive,attribute"},
    {"min", extreme<false>, "case_sensitive,attribute"},
    {"reverse", reverse},
    {"slice", slices, "slices,fill_with", 1},
    {"sort", sort, "reverse,case_sensitive,attribute"},
    {"sum", sum, "attribute,start"},
    {"unique", unique, "case_sensitive,attribute"},
};

}  // namespace

std::span<const FunctionSpec> sequence_filters() { return kTable; }

}  // namespace mapflow::jinja::detail
