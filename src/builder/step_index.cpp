#include "builder/step_index.h"

namespace mapflow::builder {

StepIndex::StepIndex(const Definition& definition, const KindCatalog& kinds) : kinds_(kinds) {
  add(definition.steps, kNone, nullptr, Entry{});
  add(definition.compensation_steps, kNone, nullptr, Entry{.undoing = true, .certain = false});
  ids_.reserve(entries_.size());
  for (std::uint32_t i = 0; i < entries_.size(); ++i) {
    by_id_.emplace(entries_[i].step->id, i);
    ids_.push_back(entries_[i].step->id);
  }
}

void StepIndex::add(const Block& block, std::uint32_t parent, const Branch* branch, Entry like) {
  for (std::uint32_t i = 0; i < block.size(); ++i) {
    const Step& step = block[i];
    Entry entry = like;
    entry.step = &step;
    entry.parent = parent;
    entry.branch = branch;
    entry.position = i;
    entry.certain = like.certain && step.when.empty();
    const auto self = static_cast<std::uint32_t>(entries_.size());
    entries_.push_back(entry);
    const KindSchema* schema = kinds_.schema(step.type);
    for (const Branch& each : step.branches) {
      const FieldSpec* spec = schema ? schema->field(each.role) : nullptr;
      const bool always = spec && (spec->type == FieldType::branches || (spec->type == FieldType::steps && spec->required));
      const bool repeated = spec && spec->repeated;
      add(each.steps, self, &each, {.repeated = repeated, .certain = entry.certain && always && !repeated, .depth = entry.depth + 1});
    }
    for (const Branch& hook : step.hooks)
      add(hook.steps, self, &hook, {.in_hook = true, .undoing = hook.role == "compensate", .certain = false, .depth = entry.depth + 1});
  }
}

std::uint32_t StepIndex::find(std::string_view id) const {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? kNone : found->second;
}

std::uint32_t StepIndex::ancestor(std::uint32_t entry, std::uint32_t depth) const {
  while (entries_[entry].depth > depth) entry = entries_[entry].parent;
  return entry;
}

/// Whether a block between `entry` and its ancestor `above` (not the one that holds `above`) has the flag.
bool StepIndex::hidden_below(std::uint32_t entry, std::uint32_t above, bool Entry::*flag) const {
  for (; entry != above; entry = entries_[entry].parent)
    if (entries_[entry].*flag) return true;
  return false;
}

ResultAccess StepIndex::access(std::uint32_t asking, std::uint32_t asked, bool after_blocks) const {
  if (asking == asked) return ResultAccess::itself;
  // The steps on both ways from the outermost block down to where the ways part.
  std::uint32_t depth = 0;
  std::uint32_t from = ancestor(asking, 0), to = ancestor(asked, 0);
  while (from == to && from != asking && from != asked) {
    ++depth;
    from = ancestor(asking, depth);
    to = ancestor(asked, depth);
    if (entries_[from].branch != entries_[to].branch) break;
  }
  const Entry& one = entries_[from];
  const Entry& other = entries_[to];
  const auto inside = [&](std::uint32_t top) {
    if (hidden_below(asked, top, &Entry::undoing)) return ResultAccess::undoing;
    if (hidden_below(asked, top, &Entry::repeated)) return ResultAccess::inside_loop;
    return ResultAccess::possible;
  };
  // Undoing comes last, so by then everything else can have run.
  bool while_undoing = false;
  for (std::uint32_t at = asking; at != kNone && !while_undoing; at = entries_[at].parent) while_undoing = entries_[at].undoing;

  if (from == to && from == asked) {  // the asked step contains the asking one
    const Entry& below = entries_[ancestor(asking, depth + 1)];
    const bool finished = below.in_hook && (below.branch->role == "on_success" || below.undoing);
    return finished ? ResultAccess::possible : ResultAccess::around;
  }
  if (from == to) {  // the asking step contains the asked one
    const Entry& below = entries_[ancestor(asked, depth + 1)];
    if (below.undoing) return ResultAccess::undoing;
    if (!after_blocks || below.in_hook) return ResultAccess::later;
    return inside(ancestor(asked, depth + 1));
  }
  const bool same_block = one.branch == other.branch && one.undoing == other.undoing;
  if (!same_block) {  // in different blocks of one step, or one of them in compensation_steps
    if (other.undoing && !while_undoing) return ResultAccess::undoing;
    if (!while_undoing && !one.in_hook) return other.in_hook ? ResultAccess::later : ResultAccess::beside;
    return other.repeated ? ResultAccess::inside_loop : inside(to);
  }
  if (other.position > one.position && !while_undoing) return ResultAccess::later;
  return inside(to);
}

std::uint32_t StepIndex::loop_around(std::uint32_t entry) const {
  std::uint32_t found = kNone;
  for (; entry != kNone; entry = entries_[entry].parent)
    if (entries_[entry].repeated) found = entries_[entry].parent;
  return found;
}

}  // namespace mapflow::builder
