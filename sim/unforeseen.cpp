#include "sim/unforeseen.h"

#include <utility>

#include "sim/chance.h"
#include "sim/maker.h"

namespace mapflow::sim {

namespace {

Step made_step(std::string type, std::string id, Value fields) {
  Step step;
  step.type = std::move(type);
  step.id = std::move(id);
  step.fields = std::move(fields);
  return step;
}

void insert(Block& block, Chance& chance, Step step) {
  block.insert(block.begin() + static_cast<std::ptrdiff_t>(chance.below(block.size() + 1)), std::move(step));
}

/// Another way for some messages when their agent is left alone.
void add_fallbacks(Definition& definition, Chance& chance) {
  every_step(definition.steps, [&](Step& step) {
    if (step.type != "message" || !chance.percent(50)) return;
    Branch hook{.role = "fallback", .name = {}, .when = {}, .steps = {}, .where = {}};
    hook.steps.push_back(made_step("transform", "fallback_" + step.id, object({{"transformations", object({{"fell_back", true}})}})));
    step.hooks.push_back(std::move(hook));
  });
}

void add_budget(Definition& definition, Chance& chance) {
  Budget& budget = definition.budget;
  if (chance.percent(40)) budget.tokens = static_cast<std::uint64_t>(chance.between(5, 60));
  if (chance.percent(30)) budget.steps = static_cast<std::uint64_t>(chance.between(2, 20));
  if (chance.percent(15)) budget.wall_time = std::chrono::seconds(chance.between(2, 30));
  budget.suspend_when_exceeded = chance.percent(50);
  every_step(definition.steps, [&](Step& step) {
    if (step.type != "message" || !chance.percent(20)) return;
    step.budget = StepBudget{.tokens = static_cast<std::uint64_t>(chance.between(1, 20)), .cost_usd = {}};
  });
}

void add_turns(Definition& definition, Chance& chance) {
  definition.concurrency.emplace();
  if (chance.percent(70)) definition.concurrency->max_running = static_cast<std::uint32_t>(chance.between(1, 2));
  else definition.concurrency->key = "label";
  if (chance.percent(50)) definition.concurrency->on_conflict = chance.percent(70) ? OnConflict::replace : OnConflict::reject;
  definition.priority = static_cast<std::uint32_t>(chance.between(0, kHighestPriority));
}

void add_aggregate(Definition& definition, Chance& chance) {
  static const std::vector<std::string> kFunctions{"list",  "count",      "first",  "last", "unique", "vote",  "flatten",
                                                   "merge", "deep_merge", "concat", "sum",  "median", "quorum"};
  Array sources;
  for (const Step& step : definition.steps) sources.emplace_back(step.id);
  insert(definition.steps, chance,
         made_step("aggregate", "together", object({{"source_steps", std::move(sources)}, {"aggregation", chance.pick(kFunctions)}})));
}

/// Somebody may set the variable; otherwise it gives up.
void add_watch(Definition& definition, Chance& chance) {
  Step watch = made_step("wait", "watch", object({{"condition", "by_hand is defined"}}));
  watch.timeout = std::chrono::seconds(chance.between(1, 8));
  if (chance.percent(70)) watch.on_error = OnError::proceed;
  insert(definition.steps, chance, std::move(watch));
}

/// Nobody outside knows a child, so it waits for nobody.
Definition make_child(std::uint64_t seed, Script& script) {
  Scenario scenario = Maker(mix(seed, "child"), 6, "c").make();
  Definition child = std::move(scenario.definition);
  child.id = "simulated_child";
  child.timeout.reset();
  every_step(child.steps, [](Step& step) {
    if (step.on_error == OnError::suspend) step.on_error = OnError::fail;
    if (step.type == "wait" && step.fields.find("signal")) step.fields = object({{"duration", 1}}), step.timeout.reset(), step.branches.clear();
  });
  script.roles.insert(scenario.script.roles.begin(), scenario.script.roles.end());
  return child;
}

void add_child(Scenario& scenario, Chance& chance, std::uint64_t seed) {
  scenario.children.push_back(make_child(seed, scenario.script));
  static const std::vector<std::string> kCloses{"cancel", "abandon", "wait"};
  Step step = made_step("subworkflow", "child", object({{"workflow_id", "simulated_child"}, {"wait", chance.percent(80)}}));
  step.fields.set("on_parent_close", chance.pick(kCloses));
  if (chance.percent(30)) step.fields.set("version", "1");
  if (chance.percent(30)) step.fields.set("input", object({{"base", 3}}));
  if (step.fields.find("wait")->as_bool() && chance.percent(40)) step.fields.set("output", object({{"from_child", "{{ child.results }}"}}));
  if (chance.percent(40)) step.on_error = OnError::proceed;
  insert(scenario.definition.steps, chance, std::move(step));
}

}  // namespace

Generated make_unforeseen(std::uint64_t seed, const Taste& taste) {
  Generated out;
  out.scenario = Maker(mix(seed, 0), taste.most_steps).make();
  out.scenario.seed = seed;
  out.foreseen = false;
  out.limits = Bite::fails;
  out.expected.longest = std::chrono::minutes(4);  // by then somebody has ended it
  Chance chance(mix(seed, "unforeseen"));
  Definition& definition = out.scenario.definition;
  add_budget(definition, chance);
  add_fallbacks(definition, chance);
  if (chance.percent(30)) add_turns(definition, chance);
  if (chance.percent(40)) add_aggregate(definition, chance);
  if (chance.percent(40)) add_watch(definition, chance);
  if (chance.percent(40)) add_child(out.scenario, chance, seed);
  return out;
}

}  // namespace mapflow::sim
