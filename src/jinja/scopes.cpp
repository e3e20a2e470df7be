#include "jinja/scopes.h"

namespace mapflow::jinja::detail {

void Scopes::open_unit(Unit& unit, bool enclosed, MacroDef* macro, bool exporting) {
  units_.push_back({&unit, macro, {}});
  if (enclosed) captures();
  scopes_.push_back({enclosed ? now_ : nullptr, &units_.back(), &unit.start, exporting, now_});
  now_ = &scopes_.back();
}

void Scopes::open(ScopeStart& start) {
  scopes_.push_back({now_, now_->unit, &start, false, now_});
  now_ = &scopes_.back();
}

void Scopes::close() { now_ = now_->back; }

void Scopes::suspend() {
  suspended_.push_back(now_);
  now_ = now_->back;
}

void Scopes::go_on() {
  now_ = suspended_.back();
  suspended_.pop_back();
}

std::uint32_t Scopes::bind(Scope& scope, std::string_view name, bool parameter) {
  if (const auto found = scope.names.find(name); found != scope.names.end()) return found->second.slot;
  const std::uint32_t slot = scope.unit->unit->slots++;
  const bool starts_missing = scope.branchings.empty() && !scope.loaded.contains(name);
  scope.names.emplace(name, Binding{slot, parameter, starts_missing});
  scope.order.push_back(name);
  return slot;
}

Target Scopes::store(std::string_view name, std::uint32_t at) {
  Target target;
  target.at = at;
  target.name = name;
  target.slot = bind(*now_, name, false);
  target.exported = now_->exporting;
  return target;
}

void Scopes::assigned(std::string_view name) {
  if (now_->assigned.insert(name).second && !now_->branchings.empty())
    now_->branchings.back().assigned.push_back(name);
}

void Scopes::end_branch() {
  Branching& branching = now_->branchings.back();
  for (const std::string_view name : branching.assigned) {
    now_->assigned.erase(name);
    ++branching.times[name];
  }
  branching.assigned.clear();
  ++branching.branches;
}

void Scopes::leave_branches(bool exhaustive) {
  const Branching left = std::move(now_->branchings.back());
  now_->branchings.pop_back();
  if (!exhaustive) return;
  for (const auto& [name, times] : left.times)
    if (times == left.branches) assigned(name);
}

std::uint32_t Scopes::parameter(std::string_view name) { return bind(*now_, name, true); }

void Scopes::parameter(std::string_view name, std::uint32_t slot) {
  if (now_->names.emplace(name, Binding{slot, true, false}).second) now_->order.push_back(name);
}

void Scopes::load(NameExpr* name) {
  now_->loaded.insert(name->name);
  bool settled = false;
  for (const Scope* scope = now_; scope && !settled; scope = scope->outer)
    settled = scope->assigned.contains(name->name);
  loads_.push_back({name, now_, settled});
  if (name->name != "caller" && name->name != "varargs" && name->name != "kwargs") return;
  // Every macro around the use gets the argument, unless the name means something else in it.
  for (Scope* scope = now_; scope; scope = scope->outer) {
    MacroDef* macro = scope->unit->macro;
    const bool unit_root = !scope->outer || scope->outer->unit != scope->unit;
    if (!macro || !unit_root) continue;
    const auto found = scope->names.find(name->name);
    if (name->name == "caller") {
      if (found != scope->names.end() && !found->second.parameter) continue;
      macro->takes_caller = true;
      macro->caller_slot = bind(*scope, name->name, true);
    } else if (found == scope->names.end()) {
      const bool varargs = name->name == "varargs";
      (varargs ? macro->takes_varargs : macro->takes_kwargs) = true;
      (varargs ? macro->varargs_slot : macro->kwargs_slot) = bind(*scope, name->name, true);
    }
  }
}

const LocalNames* Scopes::locals() {
  LocalNames* inner = nullptr;
  for (Scope* scope = now_; scope; scope = scope->outer) {
    const bool known = scope->locals != nullptr;
    if (!known) scope->locals = &program_.local_names.emplace_back();
    if (inner) inner->outer = scope->locals;
    inner = scope->locals;
    if (known) break;
    inner->outer_is_another_unit = scope->outer && scope->outer->unit != scope->unit;
  }
  return now_->locals;
}

void Scopes::captures() {
  if (now_) now_->unit->unit->captured = true;
}

Scopes::Found Scopes::find(const Scope* scope, std::string_view name) {
  std::uint32_t up = 0;
  for (; scope; scope = scope->outer) {
    if (const auto found = scope->names.find(name); found != scope->names.end())
      return {{up, found->second.slot}, &found->second, scope};
    if (scope->outer && scope->outer->unit != scope->unit) ++up;
  }
  return {{}, nullptr, nullptr};
}

bool Scopes::falls_through(Found found, std::string_view name) {
  while (!found.binding->parameter) {
    const Found outside = find(found.scope->outer, name);
    if (!outside.binding) return !found.binding->starts_missing;
    found = outside;
  }
  return false;
}

// `self`, and `super` in a block, are never the host's.
bool Scopes::means_itself(const Load& load) const {
  if (load.name->name == "self") return true;
  if (load.name->name != "super") return false;
  const Scope* scope = load.scope;
  while (scope->outer) scope = scope->outer;
  return scope->unit->unit != &program_.root;
}

void Scopes::resolve() {
  for (const Load& load : loads_) {
    const auto& [name, scope, settled] = load;
    const auto is_free = [&] {
      if (name->use >= 0) program_.uses[static_cast<std::size_t>(name->use)].free = true;
    };
    const Found found = find(scope, name->name);
    if (found.binding) {
      name->place = found.place;
      if (!settled && falls_through(found, name->name)) is_free();
      continue;
    }
    const auto [entry, fresh] = scope->unit->free.emplace(name->name, scope->unit->unit->slots);
    if (fresh) ++scope->unit->unit->slots;
    name->place = {0, entry->second};
    if (!means_itself(load)) is_free();
  }
  for (const Scope& scope : scopes_) {
    const bool unit_root = !scope.outer || scope.outer->unit != scope.unit;
    for (const std::string_view name : scope.order) {
      const Binding& binding = scope.names.at(name);
      if (binding.parameter) continue;
      const Found outside = find(scope.outer, name);
      if (outside.binding)
        scope.start->push_back(
            {SlotStart::From::outer, binding.slot, {outside.place.up + (unit_root ? 1 : 0), outside.place.slot}});
      else if (binding.starts_missing)
        scope.start->push_back({SlotStart::From::nothing, binding.slot, {}});
      else if (!unit_root)
        scope.start->push_back({SlotStart::From::scope, binding.slot, {}});
    }
  }
  for (const Scope& scope : scopes_)
    if (scope.locals)
      for (const std::string_view name : scope.order) scope.locals->slots.emplace_back(name, scope.names.at(name).slot);
}

}  // namespace mapflow::jinja::detail
