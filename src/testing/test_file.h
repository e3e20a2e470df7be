// A file of workflow tests: what its YAML says, as structs. docs/testing.md describes the language.
//
//   workflow: orders.yaml
//   agents:
//     inventory: { reply: { hold: h-1 } }
//   tests:
//     - name: an order is approved after two days
//       input: { order_id: A-1 }
//       do:
//         - { at: 2d, signal: approval, payload: { by: ann } }
//       expect: { state: completed, calls: [inventory.reserve] }
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/time.h"
#include "jinja/jinja.h"
#include "model/diagnostic.h"
#include "model/kind_schema.h"
#include "model/state.h"
#include "testing/mock.h"
#include "value/value.h"

namespace mapflow::testing {

/// Something that people or the world do to the instance while it runs.
struct Action {
  enum class Verb : std::uint8_t { signal, answer, pause, resume, cancel, terminate, retry, skip, update, rewind, checkpoint, kill };
  /// As they are written, in the order of Verb.
  static constexpr std::array<std::string_view, 12> kVerbs{"signal", "answer", "pause",  "resume", "cancel",     "terminate",
                                                           "retry",  "skip",   "update", "rewind", "checkpoint", "kill"};
  Verb verb = Verb::signal;
  std::string name;             ///< of the signal, the step, the checkpoint; a reason
  std::string before;           ///< rewind: the step to go back to before
  Value payload;                ///< of a signal or an answer; the result of a skip; the variables of an update
  std::optional<Error> error;   ///< answer: what went wrong, instead of a payload
  std::optional<Duration> at;   ///< since the start; else as soon as the action before it is done
  std::string after;            ///< the step that must wait, or be over, first; empty: none
  Duration down{};              ///< kill: how long nobody runs
  Location where;
};

/// What goes wrong by seed.
struct Faults {
  std::uint64_t seed = 1;
  std::uint32_t seeds = 1;      ///< the test is played with so many, one after the other
  std::uint32_t kills = 0;      ///< crashes of the engine, at moments drawn by lot
  double store = 0;             ///< the share of the store's calls that fail
};

struct Assertion {
  std::string text;
  jinja::Template expression;
  Location where;
};

/// What must have come of it. What is not set is not looked at.
struct Expectation {
  std::optional<WorkflowState> state;
  std::string refused;                      ///< the start is refused with this code; empty: it is not
  Value results, variables;                 ///< objects: what they must hold; null: nothing
  std::optional<Array> errors;              ///< all of them, in order
  std::optional<Array> calls;               ///< all of them, in order: parts of what MadeCall::to_value gives
  std::vector<std::pair<Value, std::int64_t>> counts;  ///< how many calls are like that
  std::optional<Array> order;               ///< these calls came in this order, others may stand between them
  std::optional<std::vector<std::string>> compensations;  ///< steps that were undone, in order
  std::optional<Duration> at_least, at_most;  ///< virtual time from start to end
  std::vector<Assertion> that;
  Location where;
};

struct TestCase {
  std::string name;
  Location where;
  Value input;
  Mocks agents, handlers;
  Mocks workflows;              ///< by id: they are not run, the mock answers as a child ends: {results, variables}
  std::map<std::string, std::string> secrets;
  std::vector<Action> actions;
  Faults faults;
  Expectation expect;
  Timestamp now{};              ///< when it begins
  Duration within{};            ///< virtual time after which nobody waits any more
};

struct TestFile {
  std::string file;
  std::string workflow;         ///< path of the definition as seen from here
  std::vector<std::string> with;
  std::vector<TestCase> cases;

  /// Ids of the workflows that at least one of the tests has a mock for.
  std::vector<std::string> mocked() const;
  /// Whether no test runs that workflow, for each has a mock in its place.
  bool always_mocked(std::string_view workflow) const;
};

struct ReadTests {
  TestFile tests;
  Diagnostics diagnostics;
};

/// Reads one file of tests; only one without errors may be played. Every problem is a diagnostic with its place.
ReadTests read_tests(std::string_view text, const std::string& file, const KindCatalog& kinds);

}  // namespace mapflow::testing
