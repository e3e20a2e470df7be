// The kinds that contain no steps: message, custom, transform, wait.
#include "sim/interpreter.h"

namespace mapflow::sim {

namespace {

const Value& field(const Step& step, std::string_view name) {
  static const Value kNone;
  const Value* found = step.fields.find(name);
  return found ? *found : kNone;
}

bool forgotten(const Step& step) {
  const Value& waits = field(step, "wait_for_response");
  return waits.is_bool() && !waits.as_bool();
}

}  // namespace

std::string call_name(const std::string& path, std::uint32_t attempt, const Value& data) {
  return path + " " + std::to_string(attempt) + " " + std::to_string(digest(data));
}

Outcome Interpreter::work(const Step& step, Place& place, const std::string& path, std::uint32_t number) {
  const Value names = object({{"id", step.id}, {"path", path}, {"attempt", number}});
  step_names_ = &names;
  Outcome outcome;
  if (step.type == "message" || step.type == "custom") outcome = call(step, place, path, number);
  else if (step.type == "transform") outcome = transform(step, place);
  else if (step.type == "aggregate") outcome = aggregate(step, place, path, number);
  else if (step.type == "wait") outcome = wait(step, place);
  else if (step.type == "conditional") outcome = conditional(step, place, path);
  else if (step.type == "parallel") outcome = parallel(step, place, path);
  else if (step.type == "loop") outcome = loop(step, place, path);
  else if (step.type == "sequence") {
    Place inside{.outer = &place, .prefix = path + "/"};
    outcome = block(step.branches.front().steps, inside);
  } else {
    ambiguous("no such kind: " + step.type);
  }
  step_names_ = nullptr;
  if (!step.branches.empty()) {  // what its steps sent and set is no longer of interest
    outcome.input = Value();
    outcome.writes.clear();
  }
  return outcome;
}

Outcome Interpreter::call(const Step& step, const Place& place, const std::string& path, std::uint32_t number) {
  const bool message = step.type == "message";
  const auto data = render(field(step, message ? "data" : "input"), place);
  if (!data) return Outcome::failed(data.error());
  const auto agent = message ? render(field(step, "destination"), place) : Value();
  return answered(step, path, number, *data, agent->is_text() && answers_later(agent->as_text()));
}

/// `later`: by the call's token.
Outcome Interpreter::answered(const Step& step, const std::string& path, std::uint32_t number, const Value& data, bool later) {
  note(Fact::Kind::call, call_name(path, number, data));
  const bool takes_time = later || field(step, "handler") == Value("patient");
  spend(takes_time ? Duration(std::chrono::seconds(5)) : std::chrono::milliseconds(200));
  const Answer answer = scenario_.script.answer(step.id, path, number, data);
  const Value& heartbeat = field(step, "heartbeat");
  Outcome outcome = Outcome::hung();
  if (answer.error) {
    outcome = Outcome::failed(*answer.error);
  } else if (answer.misfit && !later) {
    outcome = Outcome::failed(Error(code::invalid_output, "it does not fit"));
  } else if (answer.value) {
    outcome = Outcome::done(forgotten(step) ? Value() : *answer.value);
  } else if (!heartbeat.is_null()) {
    spend(*parse_duration(heartbeat.as_text()));
    outcome = Outcome::failed(Error(code::timeout, "it is not heard of"));
  }
  outcome.input = data;
  return outcome;
}

Outcome Interpreter::transform(const Step& step, const Place& place) {
  if (const Value& assertions = field(step, "assert"); assertions.is_array()) {
    for (const Value& each : assertions.as_array()) {
      const auto is_so = holds(each.as_text(), place);
      if (!is_so) return Outcome::failed(is_so.error());
      if (!*is_so) return Outcome::failed(Error(code::invalid_input, "an assertion does not hold"));
    }
  }
  // Each target sees those before it; they become the instance's once the step is completed.
  const Value before = variables_;
  Outcome outcome = Outcome::done(Value(Object{}));
  if (const Value& targets = field(step, "transformations"); targets.is_object()) {
    for (const auto& [target, source] : targets.as_object()) {
      beware_counters(target.view());
      auto value = render(source, place);
      if (!value) {
        outcome = Outcome::failed(value.error());
        break;
      }
      if (!variables_.set_path(target, *value)) ambiguous("a variable cannot be set");
      outcome.value.set(target, *value);
      outcome.writes.set(target, *std::move(value));
    }
  }
  variables_ = before;
  return outcome;
}

Outcome Interpreter::wait(const Step& step, const Place& place) {
  if (const Value& duration = field(step, "duration"); !duration.is_null()) {
    const auto span = duration.is_text() ? parse_duration(duration.as_text()) : duration_from_seconds(duration.as_double());
    if (!span) return Outcome::failed(span.error());
    spend(*span);
    return Outcome::done(Value());
  }
  if (!field(step, "until").is_null()) {
    spend(std::chrono::seconds(5));
    return Outcome::done(Value());
  }
  if (const Value& condition = field(step, "condition"); !condition.is_null()) {
    const auto is_so = holds(condition.as_text(), place);
    if (!is_so) return Outcome::failed(is_so.error());
    return *is_so ? Outcome::done(Value()) : Outcome::hung();
  }
  const auto name = render(field(step, "signal"), place);
  if (!name) return Outcome::failed(name.error());
  const auto sent = scenario_.script.signal_sent.find(step.id);
  if (sent == scenario_.script.signal_sent.end() || !sent->second) return Outcome::hung();
  const std::string text(name->as_text());
  ++signals_[text];
  spend(std::chrono::seconds(2));
  return Outcome::done(scenario_.script.payload(text));
}

}  // namespace mapflow::sim
