#include "testing/performance.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <utility>

#include "testing/stage.h"

namespace mapflow::testing {

namespace {

using Verb = Action::Verb;
using std::chrono::milliseconds;

constexpr const char* kInstance = "test";
constexpr std::uint64_t kMostTurns = 5'000'000;             // of executors: a workflow that never ends is a finding, not a hang
constexpr Duration kAskAgain = milliseconds(100);            // when trouble with the store kept an answer from coming
constexpr Duration kNoAnswer = std::chrono::seconds(30);     // an answer that has not come by then went down with a lease
constexpr std::uint64_t kTurnsBetweenKills = 30;

/// A step has come to where somebody outside may act: it waits, or it is over.
bool stands(std::string_view type) {
  static constexpr std::array<std::string_view, 9> kStands{"step.waiting",  "step.left_open", "step.retrying",  "step.faulted", "step.completed",
                                                           "step.failed",   "step.skipped",   "step.cancelled", "step.timed_out"};
  return std::ranges::find(kStands, type) != kStands.end();
}

/// What became of the instance so far. Told event by event, and anew from the store after a kill.
struct Story {
  WorkflowState state = WorkflowState::pending;
  std::set<std::string, std::less<>> reached;    ///< steps that waited or ended, by id and by path
  std::map<std::string, std::uint64_t, std::less<>> counts;  ///< signals by "signal NAME", rewinds, checkpoints
  std::uint64_t seq = 0;

  void tell(const kernel::Event& event) {
    if (event.seq <= seq) return;
    seq = event.seq;
    if (stands(event.type)) {
      reached.insert(event.step);
      reached.insert(event.path);
    }
    if (event.type == "signal.received") ++counts["signal " + std::string(event.data.find("signal")->as_text())];
    if (event.type == "workflow.rewound" || event.type == "checkpoint.created") ++counts[event.type];
    if (!event.type.starts_with("workflow.")) return;
    const std::string_view what = std::string_view(event.type).substr(9);
    if (what == "started" || what == "admitted" || what == "resumed") state = WorkflowState::running;
    else if (what == "rewound") state = parse_workflow_state(event.data.find("state")->as_text()).value_or(state);
    else state = parse_workflow_state(what).value_or(state);
  }
};

class Performance {
 public:
  Performance(const TestCase& test, std::uint64_t seed)
      : test_(test), chance_(seed * 2 + 1), kills_left_(test.faults.kills),
        stage_(test, seed, [this](const engine::InstanceEvent& event) { heard(event); }), ticker_(stage_.time().make_executor()) {}

  Result<Outcome> play(const std::vector<Definition>& definitions) {
    MAPFLOW_TRY(stage_.add(definitions));
    deadline_ = saturating_add(test_.now, test_.within);
    draw_kill();
    stage_.boot();
    stage_.time().run_ready(10'000);  // until it has its lease
    if (start(definitions.front().id)) {
      while (next_ < test_.actions.size() && act(test_.actions[next_])) ++next_;
      until([this] { return is_over(); });
      stage_.time().run_ready(100'000);  // messages that nobody waits for
    }
    if (turns_ >= kMostTurns) problem(fmt::format("it did not come to an end within {} turns of the engine", kMostTurns));
    collect();
    return std::move(outcome_);
  }

 private:
  void heard(const engine::InstanceEvent& event) {
    known_.insert(event.instance);
    if (event.instance == kInstance) {
      if (event.event.seq > story_.seq + 1) look_into_store();
      story_.tell(event.event);
    } else if (stands(event.event.type)) {
      story_.reached.insert(event.event.step);
    }
  }
  void problem(std::string text) { outcome_.problems.push_back(std::move(text)); }
  bool is_over() const { return is_terminal(story_.state) || story_.state == WorkflowState::suspended; }

  // --- time -------------------------------------------------------------------------------------------------------------

  /// Lets the world go on until `done`, killing on the way what is to be killed. False: there is no time left.
  bool until(const std::function<bool()>& done) {
    while (true) {
      const auto pause = [&] {
        ++turns_;
        if (test_.faults.store > 0 && stage_.time().next() > stage_.time().now()) look_into_store();
        return done() || turns_ >= kMostTurns || kill_is_due();
      };
      const bool paused = stage_.time().run_until(pause, std::max(Duration(0), deadline_ - stage_.time().now()));
      if (done()) return true;
      if (!paused || turns_ >= kMostTurns) return false;
      kill(Duration(0));
    }
  }
  bool until_time(Timestamp at) {
    const auto due = std::make_shared<bool>(false);
    ticker_->post_at(at, [due] { *due = true; });
    return until([due] { return *due; });
  }

  // --- kills ------------------------------------------------------------------------------------------------------------

  void draw_kill() { kill_at_ = turns_ + 1 + chance_.below(kTurnsBetweenKills); }
  bool kill_is_due() const { return kills_left_ > 0 && turns_ >= kill_at_ && stage_.up(); }
  void kill(Duration down) {
    ++outcome_.kills;
    if (kills_left_ > 0) --kills_left_;
    draw_kill();
    ++life_;
    stage_.kill();
    if (down > Duration(0)) stage_.time().advance(down);
    stage_.boot();
    look_into_store();
  }
  /// For what a kill, or a commit that failed and took effect all the same, kept from being told.
  void look_into_store() {
    if (const auto stored = stage_.read(kInstance, true))
      for (const kernel::Event& event : stored->events) story_.tell(event);
  }

  // --- wishes -----------------------------------------------------------------------------------------------------------

  /// Asks until an answer comes, whatever is killed or fails meanwhile. `took_effect`: whether an earlier try did whose answer
  /// was lost; where it is empty, a second try that is refused says that the first one did. Nullopt when there is no time left.
  std::optional<Status> tell(const std::function<engine::Demand()>& demand, const std::function<bool()>& took_effect) {
    bool asked_before = false;
    while (true) {
      if (asked_before && took_effect && took_effect()) return Status();
      const auto heard = std::make_shared<std::optional<Result<Value>>>();
      stage_.ask(kInstance, demand(), [heard](Result<Value> value) { *heard = std::move(value); });
      const std::uint64_t life = life_;
      const Timestamp patience = saturating_add(stage_.time().now(), kNoAnswer);
      ticker_->post_at(patience, [] {});
      if (!until([&] { return heard->has_value() || life != life_ || stage_.time().now() >= patience; })) return std::nullopt;
      if (*heard && **heard) return Status();
      const bool lost = !*heard || (*heard)->error().is(code::unavailable) || (*heard)->error().is(code::fenced) ||
                        (*heard)->error().is(engine::reroute::not_owner) || (*heard)->error().is(engine::reroute::later) ||
                        (*heard)->error().is(code::corrupt);
      if (!lost) return asked_before && !took_effect ? Status() : Status(fail((*heard)->error()));
      asked_before |= !*heard || !(*heard)->error().is(engine::reroute::not_owner);
      if (!until_time(saturating_add(stage_.time().now(), kAskAgain))) return std::nullopt;
    }
  }

  bool start(const std::string& workflow) {
    auto demand = stage_.start_of(workflow, kInstance, test_.input);
    if (!demand) {
      outcome_.refused = demand.error();
      return false;
    }
    const auto told = tell([&] { return engine::Demand(*demand); }, {});
    if (!told) problem("it could not be started: time is over");
    else if (!*told) outcome_.refused = told->error();
    return told && *told;
  }

  /// False when nothing more can be done.
  bool act(const Action& action) {
    const auto in_vain = [&](const std::string& why) {
      problem(fmt::format("{}: `{}` came to nothing: {}", action.where.to_string(), name_of(action), why));
      return false;
    };
    if (action.at && !until_time(saturating_add(test_.now, *action.at))) return in_vain(fmt::format("it is due after {}, and nobody waits so long", format_duration(*action.at)));
    if (!action.after.empty()) {
      const bool came = until([&] { return story_.reached.contains(action.after) || is_over(); });
      if (!came || !story_.reached.contains(action.after)) return in_vain(fmt::format("no step '{}' waited or ended", action.after));
    }
    if (action.verb == Verb::kill) {
      kill(action.down);
      return true;
    }
    std::string token;
    if (action.verb == Verb::answer) {
      if (!until([&] { return !(token = token_of(action.name)).empty() || is_over(); }) || token.empty())
        return in_vain(fmt::format("no call of a step '{}' waits for an answer", action.name));
    }
    const auto told = tell([&] { return demand_of(action, token); }, effect_of(action));
    if (!told) return in_vain("time is over");
    if (!*told) problem(fmt::format("{}: `{}` was refused: {}", action.where.to_string(), name_of(action), told->error().to_string()));
    return true;
  }

  static std::string name_of(const Action& action) {
    const std::string verb(Action::kVerbs[static_cast<std::size_t>(action.verb)]);
    return action.name.empty() ? verb : verb + " " + action.name;
  }

  static engine::Demand demand_of(const Action& action, const std::string& token) {
    switch (action.verb) {
      case Verb::signal: return kernel::Signal{action.name, action.payload};
      case Verb::answer: {
        if (action.error) return kernel::Complete{token, fail(*action.error)};
        return kernel::Complete{token, Reply{action.payload, usage_in(action.payload)}};
      }
      case Verb::pause: return kernel::Pause{action.name};
      case Verb::resume: return kernel::Resume{};
      case Verb::cancel: return kernel::Cancel{action.name};
      case Verb::terminate: return kernel::Terminate{action.name};
      case Verb::retry: return kernel::Retry{action.name};
      case Verb::skip: return kernel::Skip{action.name, action.payload};
      case Verb::update: return kernel::Update{action.payload};
      case Verb::checkpoint: return kernel::MakeCheckpoint{action.name};
      case Verb::rewind:
      case Verb::kill: break;
    }
    return kernel::Rewind{action.before.empty() ? kernel::Place{action.name, {}} : kernel::Place{{}, action.before}};
  }

  /// How to find out whether a wish took effect whose answer was lost. Empty: a second one like it is refused, or changes nothing.
  std::function<bool()> effect_of(const Action& action) {
    const std::string count = action.verb == Verb::signal ? "signal " + action.name : action.verb == Verb::rewind ? "workflow.rewound" : "";
    if (count.empty()) return {};
    return [this, count, before = story_.counts[count]] { return story_.counts[count] > before; };
  }

  /// The token of the oldest call of that step that waits for somebody, in whichever instance.
  std::string token_of(const std::string& step) const {
    for (const std::string& id : known_) {
      const auto stored = stage_.read(id, false);
      if (!stored) continue;
      for (const kernel::OpenCall& call : kernel::open_calls(*stored->program, stored->state))
        if (step.empty() || call.step == step || call.path == step) return call.token;
    }
    return {};
  }

  // --- the end ----------------------------------------------------------------------------------------------------------

  void collect() {
    outcome_.calls = stage_.scripts().calls();
    std::ranges::copy(stage_.scripts().problems(), std::back_inserter(outcome_.problems));
    for (std::string& id : stage_.instances()) known_.insert(std::move(id));
    for (const std::string& id : known_) {
      auto stored = stage_.read(id, true);
      if (!stored) continue;
      if (id == kInstance) collect_main(*stored);
      outcome_.stories.push_back({stored->state.workflow, std::move(stored->events)});
    }
  }

  void collect_main(const StoredInstance& stored) {
    const Timestamp now = stage_.time().now();
    outcome_.state = stored.state.state;
    outcome_.document = kernel::outcome_document(stored.state, now);
    outcome_.elapsed = (is_over() ? stored.state.changed : now) - stored.state.started;
    for (const kernel::Event& event : stored.events)
      if (event.type == "step.compensated") outcome_.compensations.push_back(event.step);
  }

  const TestCase& test_;
  Chance chance_;
  std::uint32_t kills_left_;
  Story story_;
  std::set<std::string> known_;   ///< instances
  Stage stage_;
  const std::shared_ptr<engine::Executor> ticker_;
  Outcome outcome_;
  Timestamp deadline_ = kNever;
  std::size_t next_ = 0;          ///< the action that is next
  std::uint64_t turns_ = 0, kill_at_ = 0, life_ = 0;
};

}  // namespace

Result<Outcome> perform(const TestCase& test, const std::vector<Definition>& definitions, std::uint64_t seed) {
  return Performance(test, seed).play(definitions);
}

}  // namespace mapflow::testing
