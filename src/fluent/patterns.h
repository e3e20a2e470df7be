// What comes up again and again, as steps for the builder: each call makes what otherwise takes several.
//
//   auto flow = mapflow::workflow("trip")
//       .append(mapflow::pattern::saga({{"flight", branch().message("flights", "book"), branch().message("flights", "cancel")},
//                                       {"hotel", branch().message("hotels", "book"), branch().message("hotels", "cancel")}}))
//       .append(mapflow::pattern::approval("pay", "boss", "May we pay?", 24h))
//       .build();
//
// `id` names the step whose result the pattern is worth; steps beside it are called `<id>_…`. What a pattern computes itself
// (`approved`, `agreed` …) is a variable of that name as well. `mapflow patterns` has whole workflows of this kind as files.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/time.h"
#include "fluent/workflow.h"

namespace mapflow::pattern {

/// Work, and how it is undone: `undo` sees `original.result`, the last result of the work.
struct Undoable {
  std::string id;
  Steps work;
  Steps undo;
};
/// One after the other; when a later one, or the workflow, fails, those before are undone by the workflow's strategy.
Steps saga(std::vector<Undoable> parts);

/// A person decides: {approved, …}. No answer within `patience` is {approved: false, reason: timeout}.
Steps approval(const std::string& id, const std::string& person, std::string_view question, Duration patience, const Data& data = {});
/// Two people decide, each for himself: {first: {approved, by}, second: {approved, by}, agreed}. `agreed` when both approved and are two.
Steps four_eyes(const std::string& id, const std::string& first, const std::string& second, std::string_view question, Duration patience);
/// A person decides; when no answer comes within `patience`, another one is asked; then the instance waits for somebody to look.
Steps escalation(const std::string& id, const std::string& first, const std::string& second, std::string_view question, Duration patience,
                 Duration second_patience);

/// `body` for each of `items` (an expression), so many at once; then `<id>_reduced` is one value of all results.
Steps map_reduce(const std::string& id, std::string_view items, Steps body, Aggregation how, std::uint32_t max_concurrent = 1);
/// All replicas at once; the result on which `needed` agree, else the error no_quorum. A replica that fails has no vote. Each branch
/// needs a name.
Steps quorum(const std::string& id, std::vector<Steps> replicas, std::uint32_t needed);
/// `ask` again and again, `interval` apart, until the condition holds. Fails with resource_exhausted after `tries`.
Steps poll(const std::string& id, Steps ask, std::string_view until, Duration interval, std::uint64_t tries);
/// `work` for each of `items`, so many at once. What fails for good is given to `put_aside`, which sees `item` and `error`, and
/// holds up nothing.
Steps dead_letters(const std::string& id, std::string_view items, Steps work, Steps put_aside, std::uint32_t max_concurrent = 1);
/// Rounds of `make` and `judge` until the condition holds, `rounds` at most: a planner and a critic, a writer and an editor, a debate.
Steps refine(const std::string& id, Steps make, Steps judge, std::string_view good, std::uint64_t rounds);

}  // namespace mapflow::pattern
