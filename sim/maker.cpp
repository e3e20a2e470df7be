#include "sim/maker.h"

#include "sim/generator.h"
#include "sim/kinds.h"
#include "sim/unforeseen.h"

namespace mapflow::sim {

void Known::add(const std::string& expression, Shape shape) {
  switch (shape) {
    case Shape::number: numbers.push_back(expression); break;
    case Shape::text: texts.push_back(expression); break;
    case Shape::numbers: number_lists.push_back(expression); break;
    case Shape::list: lists.push_back(expression); break;
    case Shape::object:  // as agents make them
      numbers.push_back(expression + ".n");
      opaque.push_back(expression);
      break;
    case Shape::opaque: opaque.push_back(expression); break;
    case Shape::racy: break;
  }
}

void Known::forget(std::string_view name) {
  for (auto* names : {&numbers, &texts, &number_lists, &lists, &opaque})
    std::erase_if(*names, [&](const std::string& each) { return each.starts_with(name) && !each.starts_with("results"); });
}

namespace {

bool may_be_delayed(const Definition& definition) {
  bool timeless = !definition.timeout;
  for_each_step(definition, [&](const Step& step, const std::string&) {
    timeless = timeless && !step.timeout && !step.total_timeout;
  });
  return timeless;
}

/// Adds limits that delay, and change nothing else: a budget that is never used up, turns, and (people.cpp) those of agents.
void limit(Generated& out, Chance chance) {
  Definition& definition = out.scenario.definition;
  if (!may_be_delayed(definition) || !chance.percent(70)) return;
  out.limits = Bite::delays;
  if (chance.percent(50)) definition.budget.tokens = 1'000'000;
  if (chance.percent(30)) definition.budget.cost_usd = 1000;
  if (chance.percent(40)) {
    definition.concurrency.emplace();
    if (chance.percent(70)) definition.concurrency->max_running = static_cast<std::uint32_t>(chance.between(1, 2));
    else definition.concurrency->key = "label";
    definition.priority = static_cast<std::uint32_t>(chance.between(0, kHighestPriority));
  }
  if (definition.budget.tokens)
    every_step(definition.steps, [&](Step& step) {
      if (step.type != "message" || !chance.percent(30)) return;
      step.budget = StepBudget{.tokens = static_cast<std::uint64_t>(chance.between(1, 100)), .cost_usd = {}};
    });
}

}  // namespace

Generated generate(std::uint64_t seed, const Taste& taste) {
  if (!taste.foreseen) return make_unforeseen(seed, taste);
  for (std::uint64_t attempt = 0;; ++attempt) {
    const unsigned steps = attempt < 40 ? taste.most_steps : 3;
    Generated out;
    out.scenario = Maker(mix(seed, attempt), steps).make();
    out.scenario.seed = seed;
    out.expected = foresee(out.scenario, taste.for_cancel);
    if (!out.expected.ambiguous.empty() || out.expected.longest > taste.longest) continue;
    limit(out, Chance(mix(seed, "limits")));
    return out;
  }
}

Scenario Maker::make() {
  Definition& definition = scenario_.definition;
  definition.id = "simulated";
  definition.name = "Simulated";
  definition.version = "1";
  scenario_.script.seed = chance_.next();
  definition.variables = object({{"base", chance_.between(0, 9)}, {"label", "x"}, {"many", array({3, 1, 2})}});
  scenario_.input = Value(Object{});
  if (chance_.percent(70)) scenario_.input.set("base", chance_.between(0, 9));
  if (chance_.percent(50)) scenario_.input.set("extra", array({chance_.between(0, 9), chance_.between(0, 9)}));
  definition.compensation_strategy = static_cast<CompensationStrategy>(chance_.below(5));
  if (chance_.percent(40)) definition.compensation_strategy = CompensationStrategy::backward;

  Setting main;
  main.known.numbers = {"base"};
  main.known.texts = {"label"};
  main.known.number_lists = {"many"};
  block(definition.steps, main, 6);
  if (definition.compensation_strategy == CompensationStrategy::custom) {
    Setting undoing{.known = {}, .depth = 3, .undoing = true, .loop_vars = {}, .rounds = {}};
    block(definition.compensation_steps, undoing, 2);
  }
  if (chance_.percent(6)) {  // it waits for what never comes, until the workflow's own time is up
    Step forever = named("wait");
    forever.fields = object({{"signal", "never"}});
    definition.steps.push_back(std::move(forever));
    definition.timeout = std::chrono::minutes(14);
  } else if (chance_.percent(25)) {
    definition.timeout = std::chrono::hours(10);
  }
  return std::move(scenario_);
}

// --- blocks -------------------------------------------------------------------------------------------------------

Shape Maker::block(Block& out, Setting& setting, unsigned most) {
  Shape last = Shape::opaque;
  const auto count = static_cast<unsigned>(chance_.between(1, most));
  for (unsigned i = 0; i < count && (out.empty() || steps_left_ > 0); ++i) {
    Made made = step(setting);
    last = made.shape;
    out.push_back(std::move(made.step));
  }
  return last;
}

/// A block of its own inside a step. `learned`: also what is known once it has run to its end.
Shape Maker::inner(Block& out, const Setting& around, unsigned most, Known* learned) {
  Setting inside = around;
  ++inside.depth;
  const Shape shape = block(out, inside, most);
  if (learned) *learned = std::move(inside.known);
  return shape;
}

Step Maker::named(const std::string& type) {
  Step step;
  step.type = type;
  step.id = prefix_ + std::to_string(++ids_);
  if (steps_left_ > 0) --steps_left_;
  return step;
}

Made Maker::step(Setting& setting) {
  Known learned = setting.known;
  const bool leaf = setting.depth >= 3 || steps_left_ < 3 || chance_.percent(60);
  const std::uint64_t draw = chance_.below(100);
  Made made;
  if (leaf) {
    if (draw < 50) made = message(setting);
    else if (draw < 65) made = custom(setting);
    else if (draw < 80) made = transform(setting, learned);
    else if (draw < 86 && !setting.undoing) made = aggregate(setting);
    else made = wait(setting);
  } else {
    if (draw < 25) made = conditional(setting);
    else if (draw < 55) made = parallel(setting, learned);
    else if (draw < 85) made = loop(setting);
    else made = sequence(setting, learned);
  }
  decorate(made, setting, leaf);
  export_result(made, setting, learned);
  return made;
}

// --- what all steps have in common --------------------------------------------------------------------------------

void Maker::decorate(Made& made, Setting& setting, bool leaf) {
  Step& step = made.step;
  if (chance_.percent(10)) {
    step.when = chance_.percent(8) ? "unheard_of.name" : condition(setting);
    made.may_stop = true;
  }
  if (!leaf && !step.retry && chance_.percent(8)) add_retry(step);
  if (!leaf && chance_.percent(10)) step.timeout = std::chrono::seconds(chance_.between(400, 900));
  else if (!leaf && chance_.percent(6)) step.total_timeout = std::chrono::seconds(chance_.between(600, 900));
  if (!setting.undoing && chance_.percent(8)) step.checkpoint = "at_" + step.id;
  add_success(made, setting);
  add_compensation(step, setting, leaf, made.shape);
  add_error_policy(made, setting, leaf);
  if (made.may_stop && made.shape != Shape::racy) made.shape = Shape::opaque;
  if (!setting.at_once && !setting.undoing && made.shape != Shape::racy && chance_.percent(20)) step.output_key = variable(step);
}

void Maker::add_retry(Step& step) {
  RetryPolicy policy;
  static const std::vector<RetryStrategy> kStrategies{RetryStrategy::immediate, RetryStrategy::linear,
                                                      RetryStrategy::exponential, RetryStrategy::custom, RetryStrategy::none};
  policy.strategy = chance_.pick(kStrategies);
  if (policy.strategy == RetryStrategy::custom) policy.custom = kAsTold;
  policy.max_attempts = static_cast<std::uint32_t>(chance_.between(2, 4));
  policy.initial_delay = std::chrono::milliseconds(chance_.between(1, 3000));
  policy.max_delay = std::chrono::seconds(chance_.between(1, 5));
  policy.backoff_factor = chance_.percent(50) ? 2 : 1.5;
  if (chance_.percent(40)) policy.jitter = 0.5;
  if (chance_.percent(15)) policy.retry_on = {"busy", "unavailable", "timeout"};
  if (chance_.percent(15)) policy.abort_on = {"agent_error"};
  step.retry = policy;
}

void Maker::add_error_policy(Made& made, const Setting& setting, bool leaf) {
  Step& step = made.step;
  if (!chance_.percent(leaf ? 25 : 15)) return;
  const std::uint64_t draw = chance_.below(10);
  if (draw < 4) {
    step.on_error = OnError::proceed;
  } else if (draw < 8 && steps_left_ > 0 && setting.depth < 4) {
    step.on_error = OnError::handle;
    Branch hook{.role = "on_error", .name = {}, .when = {}, .steps = {}, .where = {}};
    Setting inside = setting;
    inside.known.add("error.code", Shape::text);
    if (inner(hook.steps, inside, 2) == Shape::racy) made.shape = Shape::racy;
    step.hooks.push_back(std::move(hook));
  } else if (leaf && step.when.empty() && !setting.undoing && (step.type == "message" || step.type == "custom")) {
    step.on_error = OnError::suspend;
    Role& role = scenario_.script.roles[step.id];
    role.last_failure = static_cast<std::uint8_t>(chance_.between(1, 4));
    if (step.type == "message") will_be_tried_again(role, step);
    return;
  } else {
    return;
  }
  made.may_stop = true;
}

void Maker::add_success(Made& made, const Setting& setting) {
  if (!chance_.percent(7) || steps_left_ == 0 || setting.depth >= 4 || made.shape == Shape::racy) return;
  Branch hook{.role = "on_success", .name = {}, .when = {}, .steps = {}, .where = {}};
  Setting inside = setting;
  inside.known.forget("result");  // of a handler around
  inside.known.add("result", made.shape);
  inner(hook.steps, inside, 2);
  made.step.hooks.push_back(std::move(hook));
}

void Maker::add_compensation(Step& step, const Setting& setting, bool leaf, Shape shape) {
  if (setting.undoing || !chance_.percent(leaf ? 30 : 12)) return;
  Branch hook{.role = "compensate", .name = {}, .when = {}, .steps = {}, .where = {}};
  // It runs when everything else may have changed: only what was kept for it is sure.
  Setting undoing{.known = {}, .depth = 4, .at_once = true, .undoing = true, .loop_vars = setting.loop_vars};
  for (const std::string& name : setting.loop_vars) undoing.known.add(name + "_index", Shape::number);
  if (shape != Shape::racy) undoing.known.add("original.result", Shape::opaque);
  undoing.known.add("original.input", Shape::opaque);
  block(hook.steps, undoing, chance_.percent(30) ? 3 : 1);
  step.hooks.push_back(std::move(hook));
}

/// What later steps of the block may name because of this one.
void Maker::export_result(const Made& made, Setting& setting, const Known& learned) {
  if (!made.may_stop) setting.known = learned;
  setting.known.add("results." + made.step.id, made.shape);
  if (!made.step.output_key.empty() && !made.may_stop && made.step.type != "conditional")
    setting.known.add(made.step.output_key, made.shape);
}

// --- expressions --------------------------------------------------------------------------------------------------

std::string Maker::variable(const Step& step) { return (chance_.percent(40) ? "box." : "v_") + step.id; }

void Maker::declare(const std::string& name, Value value) {
  const bool set = scenario_.definition.variables.set_path(name, std::move(value)).has_value();
  ensure(set, "the generator's variables are objects on the way");
}

std::string Maker::number(const Setting& setting, unsigned depth) {
  const Known& known = setting.known;
  if (known.numbers.empty() || chance_.percent(15)) return std::to_string(chance_.between(0, 9));
  if (depth < 2 && chance_.percent(25))
    return "((" + number(setting, depth + 1) + " * 3 + " + number(setting, depth + 1) + ") % 17)";
  if (!known.number_lists.empty() && chance_.percent(10)) return "(" + chance_.pick(known.number_lists) + "|length)";
  if (!known.number_lists.empty() && chance_.percent(10)) return "(" + chance_.pick(known.number_lists) + "|sum)";
  return chance_.pick(known.numbers);
}

std::string Maker::condition(const Setting& setting) {
  switch (chance_.below(5)) {
    case 0: return number(setting) + " % 2 == 0";
    case 1: return number(setting) + " > " + number(setting);
    case 2: return number(setting) + " != 4 and " + number(setting) + " < 8";
    case 3:
      if (!setting.known.number_lists.empty()) return number(setting) + " in " + chance_.pick(setting.known.number_lists);
      [[fallthrough]];
    default: return "not (" + number(setting) + " < 5)";
  }
}

Value Maker::data(const Setting& setting) {
  const Known& known = setting.known;
  Value out(Object{});
  if (chance_.percent(70)) out.set("n", quoted(number(setting)));
  if (!known.texts.empty() && chance_.percent(40)) out.set("t", "<{{ " + chance_.pick(known.texts) + " }}>");
  if (!known.number_lists.empty() && chance_.percent(30)) out.set("list", array({quoted(chance_.pick(known.number_lists)), 7}));
  if (!known.lists.empty() && chance_.percent(30)) out.set("deep", object({{"list", quoted(chance_.pick(known.lists))}}));
  if (!known.opaque.empty() && chance_.percent(40)) out.set("any", quoted(chance_.pick(known.opaque)));
  if (chance_.percent(10)) out.set("path", "at {{ step.path }}");
  for (const std::string& round : setting.rounds) out.set("round_" + round.substr(round.find('.') + 1), quoted(round));
  return out;
}

}  // namespace mapflow::sim
