#include "testing/reenact.h"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "kernel/codec.h"
#include "kernel/machine.h"
#include "testing/causes.h"

namespace mapflow::testing {

using namespace kernel;

namespace {

class Stage {
 public:
  Stage(const Program& recorded, const Program& now, std::span<const Record> records, const FindChild& find_child, bool partial)
      : recorded_(recorded), now_(now), records_(records), find_child_(find_child), partial_(partial) {}

  Result<Reenactment> run() {
    describe_journal();
    while (done_ < records_.size()) {
      MAPFLOW_ASSIGN(auto difference, one_decision());
      if (difference) return Reenactment{done_, std::move(difference)};
    }
    return Reenactment{done_, partial_ || records_.empty() ? std::nullopt : what_is_more()};
  }
  State state() && { return std::move(state_); }

 private:
  /// What became of telling the instance something.
  struct Trial {
    State state;
    Commit commit;
    std::size_t same = 0;  ///< so many of its records are as recorded
  };

  void describe_journal() {
    for (const Record& each : records_) {
      story_.push_back(describe(recorded_, then_, each));
      apply(recorded_, then_, each);
    }
  }

  /// Where the journal ends there must be nothing more to do, unless there was then: its last decision may have been cut.
  std::optional<Difference> what_is_more() {
    const Timestamp at = records_.back().at;
    if (!decide(recorded_, then_, Continue{}, at).records.empty()) return std::nullopt;
    State state = state_;
    const Commit more = decide(now_, state, Continue{}, at);
    if (more.records.empty()) return std::nullopt;
    return Difference{done_ + 1, at, "to go on", std::nullopt, describe(now_, state_, more.records.front())};
  }

  Result<std::optional<Difference>> one_decision() {
    const std::function<std::optional<State>(const Rewound&)> at_mark = [this](const Rewound& record) { return mark(record); };
    const auto causes = possible_causes({now_, state_, records_.subspan(done_), children_, find_child_, at_mark});
    std::optional<Trial> best;
    const Cause* likeliest = nullptr;
    std::vector<std::pair<std::size_t, const Cause*>> in_part;
    for (const Cause& cause : causes.all) {
      Trial trial = tell(cause, kWhole);
      if (accounts_for_all(trial)) {
        accept(cause, std::move(trial));
        return std::optional<Difference>();
      }
      if (trial.same > 0) in_part.emplace_back(trial.same, &cause);
      if (best && !tells_more(trial, *best)) continue;
      best = std::move(trial);
      likeliest = &cause;
    }
    for (const auto& [same, cause] : in_part) {  // perhaps it was cut there, and went on later
      Trial cut = tell(*cause, same);
      if (!accounts_for_all(cut)) continue;
      accept(*cause, std::move(cut));
      return std::optional<Difference>();
    }
    if (!causes.unknown_child.empty())
      return fail(code::not_found, "how sub-workflow '" + causes.unknown_child + "' ended is not known any more",
                  std::to_string(done_) + " records up to there are as recorded");
    return std::optional(difference(*best, goes_on(*likeliest) ? told_ : likeliest->what));
  }

  Trial tell(const Cause& cause, std::size_t most) const {
    Trial trial{state_, {}, 0};
    DecideLimits limits;
    limits.records = most;
    limits.events = true;
    trial.commit = decide(now_, trial.state, cause.input, records_[done_].at, limits, cause.ticket ? &*cause.ticket : nullptr);
    const auto& events = trial.commit.events;
    const std::size_t most_same = std::min(events.size(), records_.size() - done_);
    while (trial.same < most_same && is_same(events[trial.same], story_[done_ + trial.same])) ++trial.same;
    return trial;
  }

  bool accounts_for_all(const Trial& trial) const { return trial.same > 0 && trial.same == trial.commit.events.size(); }

  /// Of several explanations that do not hold, the one to show is the one that comes furthest.
  static bool tells_more(const Trial& a, const Trial& b) {
    return a.same > b.same || (a.same == b.same && b.commit.events.size() == b.same && a.commit.events.size() > a.same);
  }

  static bool is_same(const Event& a, const Event& b) {
    const auto essence = [](const Event& event) {
      Value document = event.to_value();
      if (event.type == "workflow.started")
        for (const char* name : {"definition", "version"}) document.set(Text(name), Value());
      return document;
    };
    return a.at == b.at && essence(a) == essence(b);
  }

  /// Nothing new was told: what comes is still about what was told before.
  static bool goes_on(const Cause& cause) { return std::holds_alternative<Continue>(cause.input); }

  void accept(const Cause& cause, Trial trial) {
    if (!goes_on(cause)) told_ = cause.what;
    for (const Effect& effect : trial.commit.effects)
      if (const auto* start = std::get_if<StartChild>(&effect)) children_[start->run] = start->child;
    state_ = std::move(trial.state);
    done_ += trial.same;
  }

  Difference difference(const Trial& best, std::string told) const {
    const std::size_t where = done_ + best.same;
    Difference found{.seq = where + 1, .at = records_[done_].at, .told = std::move(told), .recorded = std::nullopt, .now = std::nullopt};
    if (where < story_.size()) found.recorded = story_[where];
    if (best.same < best.commit.events.size()) found.now = best.commit.events[best.same];
    return found;
  }

  /// The instance as it was where a rewind goes back to. The recorded state speaks of the recorded program's steps.
  std::optional<State> mark(const Rewound& record) const {
    if (&now_ == &recorded_ || now_.hash() == recorded_.hash()) {
      auto state = decode_state(record.mark);
      return state ? std::optional(*std::move(state)) : std::nullopt;
    }
    if (record.back_to == 0 || record.back_to > done_) return std::nullopt;
    Stage back(recorded_, now_, records_.first(record.back_to), find_child_, true);
    const auto came_out = back.run();
    if (!came_out || came_out->difference) return std::nullopt;
    return std::move(back).state();
  }

  static constexpr std::size_t kWhole = DecideLimits{}.records;

  const Program& recorded_;
  const Program& now_;
  const std::span<const Record> records_;
  const FindChild& find_child_;
  const bool partial_;           ///< there is more behind `records`
  std::vector<Event> story_;     ///< the records as people read them
  State then_;                   ///< where the journal leads
  State state_;
  std::map<RunId, std::string> children_;
  std::string told_;             ///< what led to the last record
  std::size_t done_ = 0;
};

}  // namespace

Result<Reenactment> reenact(const Program& recorded, const Program& now, std::span<const Record> records, const FindChild& find_child) {
  return Stage(recorded, now, records, find_child, false).run();
}

}  // namespace mapflow::testing
