#include "sim/restart_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "jinja/workflow.h"
#include "kernel/codec.h"
#include "kernel/machine.h"
#include "sim/audit.h"
#include "sim/callees.h"
#include "sim/generator.h"
#include "sim/kinds.h"
#include "sim/verdict.h"

namespace mapflow::sim {

namespace {

using namespace kernel;

constexpr unsigned kMostSteps = 10;
constexpr int kMostTurns = 100'000;
constexpr std::size_t kSmallest = 1;  // so many records, and a decision ends as soon as it can

/// What one commit wrote, and the calls that were let out once it was durable.
struct Written {
  std::vector<Record> records;
  std::vector<PlaceCall> released;
};

/// One instance whose calls are answered in the order in which they were made. Nothing is left to chance.
class Life {
 public:
  Life(const Program& program, const Generated& world, std::size_t records_at_once) : program_(program), world_(world) {
    limits_.records = records_at_once;
    limits_.deliveries = UINT32_MAX;  // restarts are what this is about
    for (const auto& [name, count] : world.expected.signals) signals_.insert(signals_.end(), count, name);
  }

  void begin() {
    Start start;
    start.id = "i";
    start.input = world_.scenario.input;
    start.seed = world_.scenario.seed;
    give(std::move(start));
  }

  /// Lives on behind these commits of another life, as after a crash: only what was recorded is known.
  void inherit(const std::vector<Written>& past, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      keep(past[i].records);
      for (const PlaceCall& call : past[i].released) note_call(call);
      for (const Record& record : past[i].records)
        if (const auto* signal = std::get_if<SignalReceived>(&record.body)) signals_.erase(std::ranges::find(signals_, signal->name));
    }
    now_ = past[count - 1].records.back().at;
    restart();
  }

  /// `break_off`: restarts after every decision.
  void run(bool break_off) {
    for (int turns = 0; problems_.empty() && !is_terminal(state_.state); ++turns) {
      if (turns > kMostTurns) return problems_.push_back("it never comes to rest");
      const std::size_t before = written_.size();
      act();
      if (break_off && written_.size() > before && !is_terminal(state_.state)) restart();
    }
    if (!problems_.empty()) return;
    if (std::string wrong = audit_.end(); !wrong.empty()) problems_.push_back(std::move(wrong));
    for (std::string& each : judge(world_.expected, state_, seen_)) problems_.push_back(std::move(each));
  }

  const std::vector<Written>& written() const { return written_; }
  std::size_t restarts() const { return restarts_; }
  const std::vector<std::string>& problems() const { return problems_; }

 private:
  void act() {
    if (state_.state == WorkflowState::suspended) return give(Resume{});
    if (more_) return give(Continue{});
    if (!signals_.empty() && state_.state == WorkflowState::running) {
      const std::string name = signals_.back();
      signals_.pop_back();
      return give(Signal{name, world_.scenario.script.payload(name)});
    }
    callees_.look(program_, state_);
    if (const auto input = callees_.take(now_)) return give(*input);
    const Timestamp next = std::min(state_.wake_at(), callees_.next());
    if (next == kNever) return problems_.push_back("it stands still for ever");
    now_ = std::max(now_, next);
    if (state_.wake_at() <= now_) give(Tick{});
  }

  void give(const Input& input) {
    Commit commit = decide(program_, state_, input, now_, limits_);
    more_ = commit.more;
    const bool may_be = std::holds_alternative<Complete>(input);  // answers come that do not fit, and come too late
    if (commit.refused && !may_be) return problems_.push_back("refused: " + commit.refused->to_string());
    if (!commit.records.empty()) keep(std::move(commit.records));
    for (Effect& effect : commit.effects) {
      auto* call = std::get_if<PlaceCall>(&effect);
      if (!call) continue;
      note_call(*call);
      written_.back().released.push_back(*call);
      callees_.called(*call, now_);
    }
  }

  void keep(std::vector<Record> records) {
    for (const Record& record : records)
      if (std::string wrong = audit_.next(program_, record); !wrong.empty()) problems_.push_back(std::move(wrong));
    written_.push_back({std::move(records), {}});
  }

  void note_call(const PlaceCall& call) {
    const Envelope& envelope = call.envelope;
    seen_[call_name(envelope.path, envelope.attempt, envelope.data)].insert(envelope.idempotency_key);
  }

  void restart() {
    ++restarts_;
    auto recovered = decode_state(encode_state(audit_.state()));
    if (!recovered) return problems_.push_back("the state does not read back: " + recovered.error().to_string());
    state_ = *std::move(recovered);
    callees_.lose_calls();
    give(Recover{});
  }

  const Program& program_;
  const Generated& world_;
  DecideLimits limits_;
  State state_;
  RecordAudit audit_;
  Timestamp now_ = from_micros(1'000'000'000'000'000);
  Callees callees_{world_.scenario.script};
  std::vector<std::string> signals_;
  std::vector<Written> written_;
  Calls seen_;
  std::size_t restarts_ = 0;
  bool more_ = false;
  std::vector<std::string> problems_;
};

}  // namespace

RestartOutcome check_restarts(std::uint64_t seed) {
  const Generated world = generate(seed, {.most_steps = kMostSteps});
  const auto kinds = make_kinds();
  const jinja::Environment environment = jinja::workflow_environment();
  const auto program = compile(world.scenario.definition, "hash", *kinds, environment);
  if (!program) return {0, 0, 0, {"the definition does not compile: " + program.error().to_string()}};

  RestartOutcome outcome;
  const auto lived = [&](const Life& life, const std::string& which) {
    outcome.restarts += life.restarts();
    for (const std::string& each : life.problems()) outcome.problems.push_back(which + ": " + each);
  };
  Life whole(**program, world, kSmallest);
  whole.begin();
  whole.run(false);
  lived(whole, "without a break");
  outcome.commits = whole.written().size();
  for (const Written& each : whole.written()) outcome.records += each.records.size();
  for (std::size_t cut = 1; cut < outcome.commits && outcome.problems.empty(); ++cut) {
    Life again(**program, world, DecideLimits{}.records);
    again.inherit(whole.written(), cut);
    again.run(false);
    lived(again, fmt::format("after commit {} of {}", cut, outcome.commits));
  }
  Life shaken(**program, world, kSmallest);
  shaken.begin();
  shaken.run(true);
  lived(shaken, "after every decision");
  return outcome;
}

}  // namespace mapflow::sim
