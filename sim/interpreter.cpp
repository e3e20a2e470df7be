#include "sim/interpreter.h"

#include <deque>

#include "sim/kinds.h"

namespace mapflow::sim {

namespace {

constexpr std::size_t kMostSteps = 400;
constexpr std::uint32_t kMostAttempts = 12;

jinja::Options template_options() {
  jinja::Options options;
  options.undefined = jinja::Undefined::strict;
  options.lookup = jinja::Lookup::data_first;
  options.keep_trailing_newline = true;
  return options;
}

}  // namespace

Interpreter::Interpreter(const Scenario& scenario)
    : scenario_(scenario), environment_(template_options()), variables_(scenario.definition.variables), results_(Object{}) {
  if (variables_.is_null()) variables_ = Value(Object{});
  if (scenario.input.is_object())
    for (const auto& [name, value] : scenario.input.as_object()) variables_.set(name, value);
}

// --- names and templates ------------------------------------------------------------------------------------------

/// The names that a template sees at a place.
class Names final : public jinja::Scope {
 public:
  Names(const Interpreter& world, const Place& place) : world_(world), place_(place) {}

  const Value* find(std::string_view name) const override {
    for (const Place* at = &place_; at; at = at->outer)
      if (const Value* local = at->locals.find(name)) return local;
    if (name == "results") return &made_.emplace_back(world_.visible_results(place_));
    if (name == "step") return world_.step_names_;
    return world_.variables_.find(name);
  }

 private:
  const Interpreter& world_;
  const Place& place_;
  mutable std::deque<Value> made_;
};

/// Those of the instance, and of the iterations around.
Value Interpreter::visible_results(const Place& place) const {
  std::vector<const Place*> keepers;
  for (const Place* at = &place; at; at = at->outer)
    if (at->keeps_results) keepers.push_back(at);
  Value merged = results_;
  for (auto keeper = keepers.rbegin(); keeper != keepers.rend(); ++keeper)
    if ((*keeper)->results.is_object())
      for (const auto& [id, value] : (*keeper)->results.as_object()) merged.set(id, value);
  return merged;
}

Result<const jinja::Template*> Interpreter::compiled(std::string_view text, bool expression) {
  if (expression && text.starts_with("{{") && text.ends_with("}}")) text = text.substr(2, text.size() - 4);
  auto& known = expression ? expressions_ : templates_;
  if (const auto found = known.find(text); found != known.end()) return &found->second;
  MAPFLOW_ASSIGN(auto made, expression ? environment_.compile_expression(text) : environment_.compile(text));
  return &known.emplace(std::string(text), std::move(made)).first->second;
}

Result<Value> Interpreter::render(const Value& value, const Place& place) {
  if (value.is_text() && value.as_text().find("{{") != std::string_view::npos) {
    MAPFLOW_ASSIGN(const auto* text, compiled(value.as_text(), false));
    return text->evaluate(Names(*this, place));
  }
  if (value.is_array()) {
    Array items;
    for (const Value& item : value.as_array()) {
      MAPFLOW_ASSIGN(auto rendered, render(item, place));
      items.push_back(std::move(rendered));
    }
    return Value(std::move(items));
  }
  if (value.is_object()) {
    Object members;
    for (const auto& [key, member] : value.as_object()) {
      MAPFLOW_ASSIGN(auto rendered, render(member, place));
      members.set(key, std::move(rendered));
    }
    return Value(std::move(members));
  }
  return value;
}

Result<Value> Interpreter::evaluate(std::string_view expression, const Place& place) {
  MAPFLOW_ASSIGN(const auto* made, compiled(expression, true));
  return made->evaluate(Names(*this, place));
}

Result<bool> Interpreter::holds(std::string_view expression, const Place& place) {
  MAPFLOW_ASSIGN(const auto* made, compiled(expression, true));
  return made->test(Names(*this, place));
}

// --- facts --------------------------------------------------------------------------------------------------------

Interpreter::Fact& Interpreter::note(Fact::Kind kind, std::string key, Value value, bool sure) {
  return facts_.emplace_back(Fact{kind, std::move(key), std::move(value), sure, true, 0});
}

void Interpreter::doubt(std::size_t begin, std::size_t end) {
  for (std::size_t i = begin; i < end; ++i) {
    facts_[i].certain = false;
    if (facts_[i].kind == Fact::Kind::variable) doubted_.insert(facts_[i].key);
  }
}

/// A loop that goes on from where timing left its counter may come to any number of rounds.
void Interpreter::beware_counters(std::string_view text) {
  for (const std::string& name : doubted_)
    if ((name.starts_with("round.") || name.starts_with("count.")) && text.find(name) != std::string_view::npos)
      ambiguous("a counter goes on from where timing left it");
}

void Interpreter::set_variable(const std::string& name, const Value& value, bool sure) {
  if (!variables_.set_path(name, value)) ambiguous("a variable cannot be set: " + name);
  note(Fact::Kind::variable, name, value, sure);
}

void Interpreter::keep_result(Place& place, const Step& step, const Value& value, bool sure) {
  for (Place* at = &place; at; at = const_cast<Place*>(at->outer)) {
    if (!at->keeps_results) continue;
    at->results.set(step.id, value);
    return;
  }
  results_.set(step.id, value);
  note(Fact::Kind::result, step.id, value, sure);
}

// --- blocks and steps ---------------------------------------------------------------------------------------------

Outcome Interpreter::block(const Block& steps, Place& place) {
  Outcome last = Outcome::done(Value());
  for (const Step& each : steps) {
    if (++steps_taken_ > kMostSteps) ambiguous("too long");
    if (!ambiguous_.empty()) return Outcome::done(Value());
    last = step(each, place);
    last.last_chance = false;  // that was about the step
    if (last.is(Outcome::End::failed) || last.is(Outcome::End::hung)) return last;
  }
  return Outcome::done(std::move(last.value), last.sure);
}

Interpreter::Part Interpreter::part(std::uint32_t index, const Block& steps, Place& place) {
  Part out;
  out.index = index;
  out.begin = facts_.size();
  out.outcome = block(steps, place);
  out.end = facts_.size();
  return out;
}

Outcome Interpreter::step(const Step& step, Place& place) {
  const std::string path = place.path_of(step);
  if (!step.when.empty()) {
    const auto wanted = holds(step.when, place);
    if (!wanted) return settle_failed(step, place, path, Outcome::failed(wanted.error()));
    if (!*wanted) {
      keep_result(place, step, Value(), true);
      return Outcome::skipped();
    }
  }
  Outcome outcome = attempts(step, place, path);
  switch (outcome.end) {
    case Outcome::End::hung: return outcome;
    case Outcome::End::skipped: keep_result(place, step, Value(), true); return outcome;
    case Outcome::End::done: return settle_done(step, place, path, std::move(outcome));
    case Outcome::End::failed: return settle_failed(step, place, path, std::move(outcome));
  }
  return outcome;
}

Outcome Interpreter::attempts(const Step& step, Place& place, const std::string& path) {
  const Duration began = elapsed_;
  if (step.timeout && step.total_timeout) ambiguous("both time limits on one step");
  for (std::uint32_t number = 1;; ++number) {
    Outcome outcome = attempt(step, place, path, number);
    if (step.total_timeout && !outcome.last_chance && elapsed_ - began + kSlack >= *step.total_timeout)
      ambiguous("a total time limit may or may not pass");
    if (!outcome.is(Outcome::End::failed)) return outcome;
    if (number >= kMostAttempts) ambiguous("too many attempts");
    if (!ambiguous_.empty()) return Outcome::done(Value());
    if (tried_again(step, outcome, number)) continue;
    if (step.on_error != OnError::suspend) return outcome;
    spend(std::chrono::seconds(2));  // until somebody resumes the instance, which tries the step again
  }
}

Outcome Interpreter::attempt(const Step& step, Place& place, const std::string& path, std::uint32_t number) {
  const Duration began = elapsed_;
  Outcome outcome = work(step, place, path, number);
  if (step.timeout && elapsed_ - began + kSlack >= *step.timeout) ambiguous("a time limit may or may not pass");
  if (!outcome.is(Outcome::End::hung)) return outcome;
  Outcome late = out_of_time(step, place, path, began);
  late.input = std::move(outcome.input);
  return late;
}

/// The attempt came to a stand. What its time limits make of that.
Outcome Interpreter::out_of_time(const Step& step, Place& place, const std::string& path, Duration began) {
  const Error timeout(code::timeout, "time is up");
  if (step.timeout) {
    elapsed_ = began + *step.timeout;
    if (step.type != "wait" || step.branches.empty()) return Outcome::failed(timeout);
    Place inside{.outer = &place, .prefix = path + "/"};
    Outcome instead = block(step.branches.front().steps, inside);
    return instead.is(Outcome::End::done) ? Outcome::done(Value()) : instead;
  }
  if (step.total_timeout) {
    elapsed_ = began + *step.total_timeout;
    Outcome outcome = Outcome::failed(timeout);
    outcome.last_chance = true;
    return outcome;
  }
  return Outcome::hung();
}

bool Interpreter::tried_again(const Step& step, const Outcome& outcome, std::uint32_t number) {
  if (!step.retry || outcome.last_chance) return false;
  Duration delay{};
  std::size_t yes = 0;
  for (const Error& error : outcome.errors) {
    const bool custom = step.retry->strategy == RetryStrategy::custom;
    if (!should_retry(*step.retry, error, number) || (custom && !as_told(error, number))) continue;
    ++yes;
    if (custom) delay = std::max(delay, *as_told(error, number));
    delay = std::max(delay, retry_delay(*step.retry, error, number, 1.0));
  }
  if (yes != 0 && yes != outcome.errors.size()) ambiguous("timing decides whether a step is tried again");
  spend(delay);
  return yes != 0;
}

// --- settling -----------------------------------------------------------------------------------------------------

Outcome Interpreter::settle_done(const Step& step, Place& place, const std::string& path, Outcome outcome) {
  if (const Branch* hook = step.hook("on_success")) {
    Place inside{.outer = &place, .prefix = path + "/on_success/", .locals = object({{"result", outcome.value}})};
    Outcome after = block(hook->steps, inside);
    if (!after.is(Outcome::End::done)) return after;
  }
  complete(step, place, path, outcome);
  return outcome;
}

Outcome Interpreter::settle_failed(const Step& step, Place& place, const std::string& path, Outcome outcome) {
  const auto note_errors = [&] {
    for (const Error& error : outcome.errors) note(Fact::Kind::error, error.code).certain = outcome.errors.size() == 1;
  };
  switch (step.on_error) {
    case OnError::fail:
    case OnError::suspend: return outcome;
    case OnError::proceed:
      keep_result(place, step, Value(), true);
      note_errors();
      return Outcome::done(Value());
    case OnError::handle: break;
  }
  for (const Error& error : outcome.errors)
    if (error.code != outcome.errors.front().code) ambiguous("timing decides which error a handler sees");
  Place inside{.outer = &place, .prefix = path + "/on_error/",
               .locals = object({{"error", object({{"code", outcome.errors.front().code}})}})};
  Outcome handled = block(step.hook("on_error")->steps, inside);
  if (!handled.is(Outcome::End::done)) return handled;
  handled.input = outcome.input;
  handled.writes.clear();
  complete(step, place, path, handled);
  note_errors();
  return handled;
}

void Interpreter::complete(const Step& step, Place& place, const std::string& path, const Outcome& outcome) {
  for (const auto& [name, value] : outcome.writes) set_variable(std::string(name.view()), value, true);
  if (!step.output_key.empty()) set_variable(step.output_key, outcome.value, outcome.sure);
  keep_result(place, step, outcome.value, outcome.sure);
  note(Fact::Kind::completed, path);
  if (!step.hook("compensate")) return;
  Undo undo{&step, path, Value(Object{}), outcome.input, outcome.value};
  for (const Place* at = &place; at; at = at->outer)
    if (at->locals.is_object())
      for (const auto& [name, value] : at->locals.as_object())
        if (!undo.locals.find(name)) undo.locals.set(name, value);
  note(Fact::Kind::undo, path).undo = undo_.size();
  undo_.push_back(std::move(undo));
}

}  // namespace mapflow::sim
