#include "testing/coverage.h"

#include <fmt/format.h>

#include <algorithm>

namespace mapflow::testing {

namespace {

// Ids of steps are unique in their workflow, and a block begins with its first step: so these name everything.
std::string step_key(std::string_view workflow, std::string_view step) { return fmt::format("{}/{}", workflow, step); }
std::string block_key(std::string_view workflow, std::string_view first) { return fmt::format("{}/{} begins", workflow, first); }
std::string skip_key(std::string_view workflow, std::string_view step) { return fmt::format("{}/{} left out", workflow, step); }
std::string otherwise_key(std::string_view workflow, std::string_view step) { return fmt::format("{}/{} otherwise", workflow, step); }

bool has_branch(const Step& step, std::string_view role) {
  return std::ranges::any_of(step.branches, [role](const Branch& branch) { return branch.role == role && !branch.steps.empty(); });
}

}  // namespace

void Coverage::add(const std::string& key, Unit unit) {
  if (by_key_.try_emplace(key, units_.size()).second) units_.push_back(std::move(unit));
}

void Coverage::expect(const Definition& definition) {
  expect_block(definition.id, definition.steps);
  expect_block(definition.id, definition.compensation_steps);
}

void Coverage::expect_block(const std::string& workflow, const Block& block) {
  for (const Step& step : block) {
    add(step_key(workflow, step.id), {Kind::step, fmt::format("step '{}'", step.id), step.where});
    if (!step.when.empty()) add(skip_key(workflow, step.id), {Kind::way, fmt::format("{}: left out by its `when`", step.id), step.place("when")});
    for (const std::vector<Branch>* branches : {&step.branches, &step.hooks})
      for (const Branch& branch : *branches) expect_branch(workflow, step, branch);
    if (step.type == "conditional" && !has_branch(step, "if_false") && !has_branch(step, "otherwise"))
      add(otherwise_key(workflow, step.id), {Kind::way, fmt::format("{}: no way taken", step.id), step.where});
  }
}

void Coverage::expect_branch(const std::string& workflow, const Step& owner, const Branch& branch) {
  if (branch.steps.empty()) return;
  const std::string_view name = !branch.name.empty() ? std::string_view(branch.name) : branch.role;
  const std::string condition = branch.when.empty() ? "" : fmt::format(" when {}", branch.when);
  add(block_key(workflow, branch.steps.front().id), {Kind::way, fmt::format("{}: {}{}", owner.id, name, condition), branch.where.known() ? branch.where : owner.where});
  expect_block(workflow, branch.steps);
}

void Coverage::reach(const std::string& key) {
  if (const auto found = by_key_.find(key); found != by_key_.end()) ++units_[found->second].times;
}

void Coverage::count(const std::vector<InstanceStory>& stories) {
  for (const InstanceStory& story : stories)
    for (const kernel::Event& event : story.events) {
      const bool started = event.type == "step.started";
      if (!started && event.type != "step.skipped") continue;
      // A step that was begun before it was skipped says so with its attempt.
      const bool left_out = !started && !event.data.find("attempt");
      if (started) reach(step_key(story.workflow, event.step));
      if (started || left_out) reach(block_key(story.workflow, event.step));
      if (!started) reach(left_out ? skip_key(story.workflow, event.step) : otherwise_key(story.workflow, event.step));
    }
}

Coverage::Count Coverage::count_of(Kind kind) const {
  Count count;
  for (const Unit& unit : units_) {
    if (unit.kind != kind) continue;
    ++count.all;
    if (unit.times > 0) ++count.reached;
  }
  return count;
}

std::uint32_t Coverage::percent() const {
  const std::size_t all = units_.size(), reached = steps().reached + ways().reached;
  return all == 0 ? 100 : static_cast<std::uint32_t>(reached * 100 / all);
}

std::vector<Coverage::Missed> Coverage::missed() const {
  std::vector<Missed> out;
  for (const Unit& unit : units_)
    if (unit.times == 0) out.push_back({unit.where, unit.what});
  return out;
}

Value Coverage::to_value() const {
  const auto counted = [](const Count& count) { return object({{"reached", count.reached}, {"all", count.all}}); };
  Value out = object({{"steps", counted(steps())}, {"branches", counted(ways())}, {"percent", percent()}, {"missed", Value(Array{})}});
  for (const Missed& each : missed()) out.mutable_object()["missed"].push_back(object({{"where", each.where.to_string()}, {"what", each.what}}));
  return out;
}

}  // namespace mapflow::testing
