#include "sim/oracle.h"

#include "sim/interpreter.h"

namespace mapflow::sim {

Expectation foresee(const Scenario& scenario, bool cancelled) { return Interpreter(scenario).run(cancelled); }

Expectation Interpreter::run(bool cancelled) {
  Expectation out;
  Place main;
  const Outcome outcome = block(scenario_.definition.steps, main);
  if (cancelled) {
    doubt(0, facts_.size());
    out.states.insert(WorkflowState::cancelled);
    for (const WorkflowState state : undo_everything(WorkflowState::cancelled)) out.states.insert(state);
    doubt(0, facts_.size());
    note(Fact::Kind::error, std::string(code::cancelled)).certain = false;
  }
  const bool ended_by_others = cancelled && outcome.is(Outcome::End::hung) && !scenario_.definition.timeout;
  if (!ended_by_others) end(outcome, out);
  if (cancelled) doubt(0, facts_.size());
  tell(out);
  out.longest = elapsed_;
  out.ambiguous = ambiguous_;
  return out;
}

void Interpreter::end(const Outcome& main, Expectation& out) {
  const auto& limit = scenario_.definition.timeout;
  if (limit && elapsed_ + kSlack >= *limit) ambiguous("the workflow's time limit may or may not pass");
  if (main.is(Outcome::End::done)) {
    out.states.insert(WorkflowState::completed);
    return;
  }
  const bool hung = main.is(Outcome::End::hung);
  if (hung && !limit) return ambiguous("it never ends");
  if (hung) {
    elapsed_ = *limit;
    note(Fact::Kind::error, std::string(code::timeout));
  }
  for (const Error& error : main.errors) note(Fact::Kind::error, error.code).certain = main.errors.size() == 1;
  out.states.merge(undo_everything(hung ? WorkflowState::timed_out : WorkflowState::failed));
}

/// Compensates. `otherwise` is the end when there is nothing to undo.
std::set<WorkflowState> Interpreter::undo_everything(WorkflowState otherwise) {
  const CompensationStrategy strategy = scenario_.definition.compensation_strategy;
  if (strategy == CompensationStrategy::none) return {otherwise};
  const Fact::Kind reason = strategy == CompensationStrategy::custom ? Fact::Kind::completed : Fact::Kind::undo;
  bool certain = false, possible = false;
  std::vector<std::pair<std::size_t, bool>> entries;
  for (const Fact& fact : facts_) {
    if (fact.kind != reason) continue;
    possible = true;
    certain = certain || fact.certain;
    if (reason == Fact::Kind::undo) entries.emplace_back(fact.undo, fact.certain);
  }
  if (!possible) return {otherwise};
  std::set<bool> fails{false};
  if (strategy == CompensationStrategy::custom) {
    const std::size_t begin = facts_.size();
    Place place{.prefix = "compensation/"};
    const Outcome outcome = block(scenario_.definition.compensation_steps, place);
    if (outcome.is(Outcome::End::hung)) ambiguous("a compensation hangs");
    for (const Error& error : outcome.errors) note(Fact::Kind::error, error.code).certain = outcome.errors.size() == 1;
    if (!certain) doubt(begin, facts_.size());
    if (outcome.is(Outcome::End::failed)) fails.insert(true), certain ? fails.erase(false) : 0;
  }
  for (const auto& [entry, sure] : entries) undo_one(entry, sure, fails);
  std::set<WorkflowState> ends;
  for (const bool failed : fails) ends.insert(failed ? WorkflowState::failed : WorkflowState::compensated);
  if (!certain) ends.insert(otherwise);
  return ends;
}

/// `fails` says whether the compensation as a whole may fail, or must.
void Interpreter::undo_one(std::size_t entry, bool certain, std::set<bool>& fails) {
  const Undo undo = undo_[entry];
  const std::size_t begin = facts_.size();
  note(Fact::Kind::undone, undo.path);
  const Block& steps = undo.step->hook("compensate")->steps;
  Place place{.prefix = undo.path + "/compensate/", .locals = undo.locals, .keeps_results = true, .lone_undo = steps.size() == 1};
  place.locals.set("original", object({{"input", undo.input}, {"result", undo.result}}));
  const Outcome outcome = block(steps, place);
  if (outcome.is(Outcome::End::hung)) ambiguous("a compensation hangs");
  for (const Error& error : outcome.errors) note(Fact::Kind::error, error.code).certain = outcome.errors.size() == 1;
  if (!certain) doubt(begin, facts_.size());
  if (!outcome.is(Outcome::End::failed)) return;
  fails.insert(true);
  if (certain) fails.erase(false);
}

namespace {

void count(std::map<std::string, Range>& ranges, const std::string& key, bool certain) {
  Range& range = ranges[key];
  ++range.most;
  if (certain) ++range.least;
}

}  // namespace

/// What all facts together say.
void Interpreter::tell(Expectation& out) const {
  const auto last_value = [this](std::map<std::string, Alternatives>& values, const Fact& fact) {
    const bool first = !values.contains(fact.key);
    Alternatives& known = values[fact.key];
    if (first) {
      const Value* before = fact.kind == Fact::Kind::variable ? scenario_.definition.variables.find_path(fact.key) : nullptr;
      if (before) known.values.push_back(*before);
      else known.absent = true;
    }
    if (fact.certain) known = {};  // whatever was there before has been replaced
    known.values.push_back(fact.value);
    known.any = known.any || !fact.sure;
  };
  for (const Fact& fact : facts_) {
    switch (fact.kind) {
      case Fact::Kind::call: count(out.calls, fact.key, fact.certain); break;
      case Fact::Kind::error: count(out.errors, fact.key, fact.certain); break;
      case Fact::Kind::undone: count(out.undone, fact.key, fact.certain); break;
      case Fact::Kind::result: last_value(out.results, fact); break;
      case Fact::Kind::variable: last_value(out.variables, fact); break;
      case Fact::Kind::completed:
      case Fact::Kind::undo: break;
    }
  }
  out.signals = signals_;
}

}  // namespace mapflow::sim
