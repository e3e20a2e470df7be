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
/// Rounds of `make` and `judge` until the condition holds, `rounds` at most: a writer and an editor, a model and its test.
Steps refine(const std::string& id, Steps make, Steps judge, std::string_view good, std::uint64_t rounds);

/// All of `parts` at once, each a branch with a name; what they say, objects, is merged. One that fails is left out.
Steps fan_out(const std::string& id, std::vector<Steps> parts);
/// Extracts; then cleans each of `rows` (an expression on what was extracted), so many at once, the steps see it as `row`; then loads
/// the cleaned rows, the result of step `id`.
Steps etl(const std::string& id, Steps extract, std::string_view rows, Steps clean, Steps load, std::uint32_t max_concurrent = 1);
/// A search for the best model, and what becomes of it.
struct Search {
  std::string grid;                       ///< an expression: the points to train for
  Steps train;                            ///< for one point; sees `point`
  std::string score = "value.score";      ///< of what `train` is worth, seen as `value`; the highest is best
  std::string good;                       ///< the gate: a condition on the best, which is `results.<id>`
  Steps deploy;                           ///< when it holds
  Steps keep = {};                        ///< when not
  std::uint32_t max_concurrent = 1;
};
/// Trains for each point of the grid, takes the best, and deploys it behind the gate.
Steps ml_pipeline(const std::string& id, Search search);
/// Follows links level by level, each page once. `first`: an expression that gives a list of pages. `fetch` sees `page` and is worth
/// {links: [pages]}; a page that cannot be fetched is passed over. Worth {pages: all that were seen}. How fast a site is asked says the
/// `rate_limit` of its agent.
Steps crawl(const std::string& id, std::string_view first, Steps fetch, std::uint64_t levels, std::uint32_t max_concurrent = 1);
/// When `work` fails, as it does at once while its agent's circuit is open, `reserve` does it instead.
Steps circuit_breaker(const std::string& id, Steps work, Steps reserve);
/// For the limits of that agent: so many failures within the window, and nobody calls it for `open_for`.
Value breaker(std::uint32_t failures, Duration window, Duration open_for);
/// Agents argue in rounds, at most so many, until all are of one mind; then it is a vote: worth {winner, …}. Each debater is a branch with a
/// name, is worth {choice, …}, and sees what all said in the round before as `<id>_opinions`, by name; {} in the first.
Steps debate(const std::string& id, std::vector<Steps> debaters, std::uint64_t rounds);
/// `draft`, which sees a person's remarks so far as the list `<id>_remarks`; then the person is asked, and answers
/// {accepted, remark}. Until it is accepted, `drafts` times at most.
Steps human_in_the_loop(const std::string& id, Steps draft, const std::string& person, std::string_view question, Duration patience,
                        std::uint64_t drafts);
/// Who plans, does and judges.
struct Team {
  Steps plan;
  std::string tasks;                      ///< an expression on the plan: what is to be done
  Steps execute;                          ///< one task; sees `task`
  Steps judge;                            ///< sees what was done as `results.<id>_work`
  std::string good;                       ///< a condition: whether it was good enough
  std::uint32_t max_concurrent = 1;
};
/// Plans, does the tasks, judges; again until it is good, `rounds` times at most.
Steps planner(const std::string& id, Team team, std::uint64_t rounds);

}  // namespace mapflow::pattern
