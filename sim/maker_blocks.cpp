// Kinds that contain steps.
#include "sim/maker.h"

namespace mapflow::sim {

namespace {

Branch made_branch(std::string role) { return {.role = std::move(role), .name = {}, .when = {}, .steps = {}, .where = {}}; }

/// The value of one of two things.
Shape either(Shape a, Shape b) {
  if (a == Shape::racy || b == Shape::racy) return Shape::racy;
  return a == b ? a : Shape::opaque;
}

}  // namespace

Shape Maker::branch(Step& step, const std::string& role, const Setting& setting, unsigned most, Known* learned) {
  Branch out = made_branch(role);
  const Shape shape = inner(out.steps, setting, most, learned);
  step.branches.push_back(std::move(out));
  return shape;
}

Made Maker::sequence(const Setting& setting, Known& learned) {
  Made made{.step = named("sequence"), .shape = Shape::opaque, .may_stop = false};
  if (setting.at_once || chance_.percent(60)) {
    made.shape = branch(made.step, "steps", setting, 4, &learned);
    return made;
  }
  // It is tried again as a whole, and counts that, so that its steps may do better the next time.
  const std::string round = "round." + made.step.id;
  declare(round, 0);
  add_retry(made.step);
  Step count = named("transform");
  count.fields = object({{"transformations", object({{Text(round), quoted(round + " + 1")}})}});
  Setting inside = setting;
  inside.rounds.push_back(round);
  Branch steps = made_branch("steps");
  steps.steps.push_back(std::move(count));
  Block rest;
  made.shape = inner(rest, inside, 3, &learned);
  for (Step& each : rest) steps.steps.push_back(std::move(each));
  made.step.branches.push_back(std::move(steps));
  return made;
}

Made Maker::conditional(const Setting& setting) {
  Made made{.step = named("conditional"), .shape = Shape::opaque, .may_stop = false};
  Step& step = made.step;
  if (chance_.percent(60)) {
    step.fields = object({{"condition", chance_.percent(50) ? condition(setting) : "{{ " + condition(setting) + " }}"}});
    made.shape = branch(step, "if_true", setting, 3);
    if (chance_.percent(60)) made.shape = either(made.shape, branch(step, "if_false", setting, 3));
    else made.shape = either(made.shape, Shape::opaque);
    return made;
  }
  const auto cases = chance_.between(1, 3);
  for (std::int64_t i = 0; i < cases; ++i) {
    const Shape shape = branch(step, "switch", setting, 2);
    made.shape = i == 0 ? shape : either(made.shape, shape);
    step.branches.back().when = condition(setting);
  }
  made.shape = either(made.shape, chance_.percent(50) ? branch(step, "otherwise", setting, 2) : Shape::opaque);
  return made;
}

Made Maker::parallel(const Setting& setting, Known& learned) {
  Made made{.step = named("parallel"), .shape = Shape::opaque, .may_stop = false};
  Step& step = made.step;
  step.fields = Value(Object{});
  const auto branches = chance_.between(2, 4);
  const std::uint64_t draw = chance_.below(10);
  const bool all = draw < 6;
  if (draw == 6) step.fields.set("wait_strategy", "any");
  else if (draw == 7) step.fields.set("wait_strategy", "majority");
  else if (draw > 7) step.fields.set("wait_strategy", chance_.between(1, branches));
  else if (chance_.percent(30)) step.fields.set("wait_strategy", "all");
  if (all && chance_.percent(40)) step.fields.set("fail_fast", false);
  if (chance_.percent(30)) step.fields.set("max_concurrent", chance_.between(1, 3));
  Known together = setting.known;
  Shape shape = Shape::opaque;
  for (std::int64_t i = 0; i < branches; ++i) {
    Known known;
    shape = either(shape, branch(step, "steps", setting, 3, &known) == Shape::racy ? Shape::racy : Shape::opaque);
    if (chance_.percent(60)) step.branches.back().name = "b" + std::to_string(i);
    const auto take = [](std::vector<std::string>& to, const std::vector<std::string>& from, std::size_t seen) {
      to.insert(to.end(), from.begin() + static_cast<std::ptrdiff_t>(seen), from.end());
    };
    take(together.numbers, known.numbers, setting.known.numbers.size());
    take(together.texts, known.texts, setting.known.texts.size());
    take(together.number_lists, known.number_lists, setting.known.number_lists.size());
    take(together.lists, known.lists, setting.known.lists.size());
    take(together.opaque, known.opaque, setting.known.opaque.size());
  }
  if (!setting.at_once && !setting.undoing && chance_.percent(20)) add_meeting(step);
  for (Branch& each : step.branches)
    if (each.name.empty() && each.steps.size() > 1) each.name = each.steps.front().id;
  made.shape = all ? shape : Shape::racy;
  if (all) learned = std::move(together);
  return made;
}

/// The last branch goes on when the first one has begun.
void Maker::add_meeting(Step& parallel) {
  const std::string flag = "met." + parallel.id;
  declare(flag, 0);
  Step begin = named("transform"), wait = named("wait");
  begin.fields = object({{"transformations", object({{Text(flag), 1}})}});
  wait.fields = object({{"condition", flag + " == 1"}});
  if (chance_.percent(50)) wait.fields.set("check_interval", "30s");
  Block& first = parallel.branches.front().steps;
  Block& last = parallel.branches.back().steps;
  first.insert(first.begin(), std::move(begin));
  last.insert(last.begin(), std::move(wait));
}

// --- loop ---------------------------------------------------------------------------------------------------------

Setting Maker::body_of(const Setting& around, Step& loop, Shape item) {
  Setting inside = around;
  std::string variable = "item";
  if (!around.loop_vars.empty() || chance_.percent(50)) {
    variable = "i_" + loop.id;
    loop.fields.set("loop_var", variable);
  }
  inside.loop_vars.push_back(variable);
  inside.known.add(variable, item);
  inside.known.add(variable + "_index", Shape::number);
  return inside;
}

Made Maker::loop(const Setting& setting) {
  Made made{.step = named("loop"), .shape = Shape::list, .may_stop = false};
  Step& step = made.step;
  step.fields = Value(Object{});
  if (!setting.at_once && chance_.percent(25)) return counted_loop(std::move(made), setting);
  Shape item = Shape::number;
  switch (chance_.below(5)) {
    case 0: step.fields.set("items", chance_.between(0, 4)); break;
    case 1: step.fields.set("items", array({4, quoted(number(setting)), 6})); break;
    case 2:
      step.fields.set("items", object({{"one", quoted(number(setting))}, {"two", 2}}));
      item = Shape::opaque;
      break;
    case 3:
      if (!setting.known.number_lists.empty()) {
        const std::string list = chance_.pick(setting.known.number_lists);
        step.fields.set("items", chance_.percent(50) ? list : "{{ " + list + " }}");
        break;
      }
      [[fallthrough]];
    default: step.fields.set("items", "range(" + std::to_string(chance_.between(1, 5)) + ")|list"); break;
  }
  Setting inside = body_of(setting, step, item);
  const bool at_once = chance_.percent(50);
  if (at_once) {
    step.fields.set("max_concurrent", chance_.between(2, 4));
    inside.at_once = true;
  }
  if (chance_.percent(25)) step.fields.set("fail_fast", false);
  if (chance_.percent(10)) step.fields.set("max_iterations", chance_.between(1, 4));
  if (step.fields.find("max_iterations") && chance_.percent(70)) step.fields.set("on_max_iterations", "stop");
  Known learned;
  if (branch(step, "body", inside, 3, &learned) == Shape::racy) made.shape = Shape::racy;
  Setting end = inside;
  end.known = std::move(learned);
  if (chance_.percent(20)) {
    step.fields.set(chance_.percent(50) ? "break_when" : "until", condition(end));
    if (at_once) made.shape = Shape::racy;
  }
  if (chance_.percent(30)) {
    const bool none = chance_.percent(30);
    if (none) made.shape = Shape::opaque;
    else if (!at_once || made.shape != Shape::racy) made.shape = Shape::numbers;
    step.fields.set("collect", none ? "none" : number(end));
  }
  return made;
}

/// A loop by condition. Its body counts, so that it comes to an end.
Made Maker::counted_loop(Made made, Setting inside) {
  Step& step = made.step;
  const std::string counter = "count." + step.id;
  declare(counter, 0);
  const std::string enough = std::to_string(chance_.between(0, 4));
  const bool before = chance_.percent(50);
  step.fields.set(before ? "while" : "until", counter + (before ? " < " : " >= ") + enough);
  if (chance_.percent(25)) step.fields.set("max_iterations", chance_.between(1, 4));
  if (step.fields.find("max_iterations") && chance_.percent(60)) step.fields.set("on_max_iterations", "stop");
  inside = body_of(inside, step, Shape::number);
  Branch body = made_branch("body");
  Step count = named("transform");
  count.fields = object({{"transformations", object({{Text(counter), quoted(counter + " + 1")}})}});
  body.steps.push_back(std::move(count));
  inside.known.add(counter, Shape::number);
  Block rest;
  if (inner(rest, inside, 2) == Shape::racy) made.shape = Shape::racy;
  for (Step& each : rest) body.steps.push_back(std::move(each));
  step.branches.push_back(std::move(body));
  return made;
}

}  // namespace mapflow::sim
