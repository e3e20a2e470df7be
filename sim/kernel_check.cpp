#include "sim/kernel_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "jinja/workflow.h"
#include "kernel/codec.h"
#include "kernel/machine.h"
#include "sim/audit.h"
#include "sim/callees.h"
#include "sim/chance.h"
#include "sim/generator.h"
#include "sim/kinds.h"
#include "sim/verdict.h"
#include "value/json.h"

namespace mapflow::sim {

namespace {

using namespace kernel;

/// How unkind the world is, by seed.
struct Weather {
  unsigned crash_percent, double_percent, idle_percent, pause_percent;
  std::size_t most_records;
  explicit Weather(Chance& chance)
      : crash_percent(chance.percent(50) ? static_cast<unsigned>(chance.below(15)) : 0),
        double_percent(chance.percent(50) ? 20 : 0),
        idle_percent(chance.percent(30) ? 10 : 0),
        pause_percent(chance.percent(30) ? 3 : 0),
        most_records(chance.percent(30) ? 1 + chance.below(6) : 4096) {}
};

class KernelRun {
 public:
  KernelRun(std::uint64_t seed, bool verbose)
      : chance_(mix(seed, "kernel")), weather_(chance_), kinds_(make_kinds()),
        environment_(jinja::workflow_environment()), world_(generate(seed)), verbose_(verbose) {}

  KernelOutcome run() {
    auto program = compile(world_.scenario.definition, "hash", *kinds_, environment_);
    if (!program) return {0, {"the definition does not compile: " + program.error().to_string()}};
    program_ = *program;
    Start start;
    start.id = "i";
    start.input = world_.scenario.input;
    start.seed = chance_.next();
    for (const auto& [name, count] : world_.expected.signals) signals_.insert(signals_.end(), count, name);
    give(std::move(start));
    for (int turns = 0; problems_.empty() && !is_terminal(state_.state); ++turns) {
      if (turns > 100'000) problems_.push_back("it never comes to rest");
      else act();
    }
    if (problems_.empty()) {
      if (std::string wrong = audit_.end(); !wrong.empty()) problems_.push_back(wrong);
      for (std::string& each : judge(world_.expected, state_, seen_)) problems_.push_back(std::move(each));
    }
    return {hash_, problems_};
  }

 private:
  void act() {
    now_ += std::chrono::milliseconds(chance_.below(30));
    callees_.look(*program_, state_);
    if (deliveries_left_ > 0 && chance_.percent(weather_.crash_percent)) return crash();
    if (chance_.percent(weather_.idle_percent)) return give(chance_.percent(50) ? Input(Tick{}) : Input(Continue{}));
    if (pauses_left_ > 0 && chance_.percent(weather_.pause_percent)) {
      --pauses_left_;
      give(Pause{"by chance"});
    }
    if (!may_go_on() && chance_.percent(40)) return give(Resume{});
    if (more_ && chance_.percent(60)) return give(Continue{});
    if (callees_.next() <= now_ && chance_.percent(70)) return answer();
    if (!signals_.empty() && chance_.percent(30)) return send_signal();
    if (state_.wake_at() <= now_) return give(Tick{});
    // Time runs on only when there is nothing else to do: limits are far above what agents need.
    if (callees_.next() > now_ && signals_.empty() && !more_ && may_go_on()) {
      const Timestamp next = std::min(state_.wake_at(), callees_.next());
      if (next == kNever) problems_.push_back("it stands still for ever");
      else now_ = next;
    }
  }

  bool may_go_on() const {
    return state_.state != WorkflowState::paused && state_.state != WorkflowState::suspended;
  }

  void give(const Input& input) {
    DecideLimits limits;
    limits.records = weather_.most_records;
    limits.events = chance_.percent(10);
    Commit commit = decide(*program_, state_, input, now_, limits);
    const bool goes_on = std::holds_alternative<Continue>(input) || std::holds_alternative<Recover>(input);
    more_ = commit.more || (more_ && !goes_on);
    std::string bytes;
    encode_records(bytes, commit.records);
    RecordReader reader(bytes);
    for (const Record& record : commit.records) {
      const auto reread = reader.next();
      if (!reread) return problems_.push_back("a record does not read back: " + reread.error().to_string());
      if (verbose_) trace(record);
      if (std::string wrong = audit_.next(*program_, *reread); !wrong.empty()) return problems_.push_back(std::move(wrong));
    }
    hash_ = mix(hash_, bytes);
    if (encode_state(audit_.state()) != encode_state(state_)) return problems_.push_back("the replayed state is not the live one");
    if (deliveries_left_ > 0 && chance_.percent(weather_.crash_percent)) return crash();  // before any effect
    for (const Effect& effect : commit.effects)
      if (const auto* call = std::get_if<PlaceCall>(&effect)) place(*call);
  }

  void place(const PlaceCall& call) {
    const Envelope& envelope = call.envelope;
    seen_[call_name(envelope.path, envelope.attempt, envelope.data)].insert(envelope.idempotency_key);
    if (verbose_) fmt::print("  call {} attempt {} {}\n", envelope.path, envelope.attempt, to_json(envelope.data));
    callees_.called(call, now_);
  }

  void answer() {
    const bool once_more = chance_.percent(weather_.double_percent);
    if (const auto input = callees_.take(now_, &chance_, once_more)) give(*input);
  }

  void send_signal() {
    const std::size_t which = chance_.below(signals_.size());
    const std::string name = signals_[which];
    signals_.erase(signals_.begin() + static_cast<std::ptrdiff_t>(which));
    give(Signal{name, world_.scenario.script.payload(name)});
  }

  /// The process is gone. What it knew is read back from the records; calls may still be answered, or lost.
  void crash() {
    --deliveries_left_;
    if (verbose_) fmt::print("crash\n");
    auto recovered = decode_state(encode_state(audit_.state()));
    if (!recovered) return problems_.push_back("the state does not read back: " + recovered.error().to_string());
    state_ = *std::move(recovered);
    if (chance_.percent(70)) callees_.lose_calls();
    give(Recover{});
  }

  void trace(const Record& record) const {
    fmt::print("{} {} {}\n", to_micros(record.at) / 1000, audit_.state().seq + 1,
               to_json(describe(*program_, audit_.state(), record).to_value()));
  }

  Chance chance_;
  Weather weather_;
  std::unique_ptr<KindRegistry> kinds_;
  jinja::Environment environment_;
  Generated world_;
  bool verbose_;
  std::shared_ptr<const Program> program_;
  State state_;
  RecordAudit audit_;
  Timestamp now_ = from_micros(1'000'000'000'000'000);
  Callees callees_{world_.scenario.script};
  std::vector<std::string> signals_;
  Calls seen_;
  bool more_ = false;
  int deliveries_left_ = 8;  ///< crashes before a call counts as poison
  int pauses_left_ = 3;
  std::uint64_t hash_ = 0;
  std::vector<std::string> problems_;
};

}  // namespace

KernelOutcome check_kernel(std::uint64_t seed, bool verbose) { return KernelRun(seed, verbose).run(); }

}  // namespace mapflow::sim
