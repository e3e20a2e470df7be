// Kinds that contain no steps.
#include "sim/maker.h"

namespace mapflow::sim {

namespace {

const std::string kResults = "results.";

}  // namespace

// --- calls --------------------------------------------------------------------------------------------------------

/// What the step's agent is like, and what the step does about that.
void Maker::play(Step& step, const Setting& setting, Shape& shape) {
  Role role;
  role.shape = static_cast<Role::Shape>(chance_.below(4));
  static const std::vector<std::uint8_t> kFailures{0, 0, 0, 20, 40, 70};
  role.fails_percent = setting.undoing && chance_.percent(70) ? std::uint8_t{0} : chance_.pick(kFailures);
  if (chance_.percent(setting.undoing ? 3 : 7)) role.silent_percent = chance_.percent(30) ? 100 : 30;
  if (chance_.percent(30)) role.last_failure = static_cast<std::uint8_t>(chance_.between(1, 3));
  if (role.fails_percent > 0 ? chance_.percent(75) : chance_.percent(20)) add_retry(step);
  if (role.silent_percent > 0 || chance_.percent(10)) {
    if (step.retry || chance_.percent(75)) step.timeout = patience();
    else step.total_timeout = patience();
  }
  static constexpr Shape kShapes[] = {Shape::number, Shape::text, Shape::numbers, Shape::object};
  shape = kShapes[static_cast<std::size_t>(role.shape)];
  scenario_.script.roles[step.id] = role;
}

Made Maker::message(const Setting& setting) {
  Made made{.step = named("message"), .shape = Shape::opaque, .may_stop = false};
  play(made.step, setting, made.shape);
  Role& role = scenario_.script.roles[made.step.id];
  static const std::vector<std::string> kAgents{"alpha", "beta", "gamma", "delta", "erin"};
  const std::string agent = chance_.pick(kAgents);
  Value fields = object({{"destination", chance_.percent(10) ? "{{ '" + agent + "' }}" : agent}, {"data", data(setting)}});
  if (chance_.percent(30)) fields.set("action", "do_" + made.step.id);
  if (chance_.percent(10)) fields.set("headers", object({{"x-number", "{{ " + number(setting) + " }}"}}));
  static const std::vector<std::string> kPriorities{"low", "medium", "high", "critical"};
  if (chance_.percent(15)) fields.set("priority", chance_.pick(kPriorities));
  made.step.fields = std::move(fields);
  if (chance_.percent(8)) {
    made.step.fields.set("wait_for_response", false);
    role.fails_percent = role.silent_percent = 0;  // nobody would hear of it
    made.shape = Shape::opaque;
  } else if (chance_.percent(30)) {
    expect(made.step, role);
  }
  role.late = answers_later(agent) && chance_.percent(60);
  if (made.step.retry) will_be_tried_again(role, made.step);
  return made;
}

/// Some answers do not fit. Those by token are refused and followed by others; the rest fail the attempt.
void Maker::expect(Step& step, Role& role) {
  step.fields.set("expect", schema_of(role.shape));
  if (chance_.percent(40)) role.misfit_percent = chance_.percent(30) ? 100 : 40;
  if (step.retry && chance_.percent(40)) step.retry->retry_on = {"invalid_output", "unavailable", "timeout"};
}

/// Every attempt has the same token, so an answer to one must not come when the next one waits already.
void Maker::will_be_tried_again(Role& role, const Step& step) {
  role.tried_again = true;
  role.late = false;
  if (step.fields.find("destination")->as_text().find(kPerson) != std::string_view::npos) role.fails_percent = 0;
}

Made Maker::custom(const Setting& setting) {
  Made made{.step = named("custom"), .shape = Shape::opaque, .may_stop = false};
  play(made.step, setting, made.shape);
  Role& role = scenario_.script.roles[made.step.id];
  static const std::vector<std::string> kHandlers{"quick", "slow", "patient"};
  const std::string& handler = chance_.pick(kHandlers);
  made.step.fields = object({{"handler", handler}, {"input", data(setting)}});
  if (handler == "patient" && chance_.percent(70)) {  // it may fall silent, and nothing else ends the attempt
    made.step.fields.set("heartbeat", format_duration(patience()));
    made.step.timeout.reset();
    made.step.total_timeout.reset();
    if (chance_.percent(15)) role.silent_percent = chance_.percent(30) ? 100 : 40;
  } else {
    role.silent_percent = 0;  // a function returns
  }
  return made;
}

// --- aggregate ----------------------------------------------------------------------------------------------------

/// Of results that are there, if only as null.
Made Maker::aggregate(const Setting& setting) {
  const bool of_numbers = chance_.percent(60);
  std::vector<std::string> sources;
  const auto offer = [&](const std::vector<std::string>& names, const std::string& parts) {
    for (const std::string& name : names)
      if (name.starts_with(kResults)) sources.push_back(name.substr(kResults.size()) + parts);
  };
  offer(setting.known.numbers, "");
  offer(setting.known.number_lists, "[*]");
  if (!of_numbers) {
    offer(setting.known.opaque, "");
    offer(setting.known.texts, "");
    offer(setting.known.number_lists, "");
  }
  if (sources.empty()) return message(setting);
  Made made{.step = named("aggregate"), .shape = Shape::opaque, .may_stop = false};
  Array chosen;
  for (std::int64_t count = chance_.between(1, 4); count > 0; --count) chosen.emplace_back(chance_.pick(sources));
  static const std::vector<std::string> kOfAll{"list", "count", "first", "last", "unique", "flatten", "vote", "quorum", "custom", "merge", "concat"};
  static const std::vector<std::string> kOfNumbers{"sum", "avg", "min", "max", "count", "list", "vote", "best", "quorum", "custom"};
  const std::string aggregation = chance_.pick(of_numbers ? kOfNumbers : kOfAll);
  Value& fields = made.step.fields = object({{"source_steps", std::move(chosen)}, {"aggregation", aggregation}});
  if (aggregation == "count" || aggregation == "sum") made.shape = Shape::number;
  if (aggregation == "list" && of_numbers) made.shape = Shape::numbers;
  if (aggregation == "vote" && chance_.percent(50)) fields.set("tie_break", "first");
  if (aggregation == "best") fields.set("by", "value % 5");
  if (aggregation == "quorum" && chance_.percent(70)) fields.set("quorum", chance_.between(1, 2));
  if (chance_.percent(30)) fields.set("where", of_numbers ? "value > 3" : "source != '" + sources.front() + "'");
  if (chance_.percent(20)) fields.set("on_missing", "fail");
  if (aggregation != "custom") return made;
  if (chance_.percent(40)) {
    fields.set("expression", of_numbers ? "values|sum" : "sources|join(' ')");
    made.shape = of_numbers ? Shape::number : Shape::text;
  } else {
    fields.set("reducer", chance_.percent(50) ? "quick" : "slow");
    play(made.step, setting, made.shape);
    scenario_.script.roles[made.step.id].silent_percent = 0;  // a function returns
  }
  return made;
}

// --- transform and wait -------------------------------------------------------------------------------------------

Made Maker::transform(Setting& setting, Known& learned) {
  Made made{.step = named("transform"), .shape = Shape::opaque, .may_stop = false};
  Setting inside = setting;  // a target sees those before it
  Value targets(Object{});
  const auto count = chance_.between(1, 3);
  for (std::int64_t i = 0; i < count; ++i) {
    const std::string target = variable(made.step) + "_" + std::to_string(i);
    if (setting.at_once) {  // every one of those that run at the same time sets the same
      targets.set(target, i);
    } else if (chance_.percent(70)) {
      targets.set(target, quoted(number(inside)));
    } else {
      targets.set(target, data(inside));
      inside.known.add(target, Shape::opaque);
      learned.add(target, Shape::opaque);
      continue;
    }
    inside.known.add(target, Shape::number);
    learned.add(target, Shape::number);
  }
  made.step.fields = object({{"transformations", std::move(targets)}});
  if (chance_.percent(15)) made.step.fields.set("assert", array({number(setting) + " < 12", condition(setting)}));
  if (chance_.percent(3)) made.step.fields.set("assert", array({"nobody.knows"}));
  return made;
}

Made Maker::wait(const Setting& setting) {
  Made made{.step = named("wait"), .shape = Shape::opaque, .may_stop = false};
  Step& step = made.step;
  if (setting.undoing || chance_.percent(50)) {
    if (chance_.percent(20)) step.fields = object({{"until", chance_.percent(40) ? "2001-01-01T00:00:00Z" : "{{ now() | timedelta(seconds=3) }}"}});
    else if (chance_.percent(50)) step.fields = object({{"duration", std::to_string(chance_.between(1, 4000)) + "ms"}});
    else step.fields = object({{"duration", static_cast<double>(chance_.between(0, 6)) / 2}});
    return made;
  }
  if (chance_.percent(25)) {  // what it knows will not change, so it holds at once or never
    step.fields = object({{"condition", condition(setting)}});
    if (chance_.percent(40)) step.fields.set("check_interval", "20s");
    step.timeout = patience();
    if (chance_.percent(80)) branch(step, "on_timeout", setting, 2);
    return made;
  }
  // Every wait has a signal of its own, so that it does not matter which comes first.
  std::string name = "go_" + step.id;
  for (const std::string& variable : setting.loop_vars) name += "_{{ " + variable + "_index }}";
  step.fields = object({{"signal", name}});
  const bool sent = chance_.percent(75);
  scenario_.script.signal_sent[step.id] = sent;
  made.shape = Shape::object;
  if (sent && chance_.percent(60)) return made;
  step.timeout = patience();
  if (chance_.percent(70)) {
    branch(step, "on_timeout", setting, 2);
    made.shape = Shape::opaque;
  } else if (chance_.percent(20)) {
    add_retry(step);
  }
  if (!sent && chance_.percent(15)) {  // without end: somebody around it must have a time limit
    step.timeout.reset();
    step.branches.clear();
  }
  return made;
}

}  // namespace mapflow::sim
