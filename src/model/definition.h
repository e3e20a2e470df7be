// A workflow definition: the plain structs that YAML, JSON, the fluent builder and the patterns all fill.
//
// A definition is data. It says nothing about running; kernel/program.h compiles it. Every step has the same shape,
// whatever its kind: the common fields as members, the kind's own fields as one JSON object, and the steps that it
// contains as branches. So a walk over all steps needs to know no kind:
//
//   conditional  ->  fields {"condition": "total > 3"}, branches [if_true: […]] [if_false: […]]
//
// What fields a kind has, and which of them hold steps, its KindSchema says (model/kind_schema.h).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/time.h"
#include "model/policy.h"
#include "value/value.h"

namespace mapflow {

struct Step;
using Block = std::vector<Step>;

/// Steps that run one after the other inside a step.
struct Branch {
  std::string role;   ///< the field that holds it: "steps", "body", "if_true", "switch", "on_error", "compensate" …
  std::string name;   ///< the branch's name in a parallel; empty elsewhere
  std::string when;   ///< the condition of a `switch` case; empty elsewhere
  Block steps;
  Location where;
};

/// Fields of a step or workflow to their places, by dotted path: "data.items.0". For diagnostics only: places are no
/// part of a definition's identity.
using Places = std::map<std::string, Location, std::less<>>;

struct Step {
  std::string id;           ///< unique in its workflow; the reader makes one up when it is left out
  std::string name;
  std::string description;
  std::string type;         ///< name of the step kind

  std::string when;         ///< an expression; empty: always
  std::optional<Duration> timeout;        ///< of one attempt
  std::optional<Duration> total_timeout;  ///< of all attempts together
  std::optional<RetryPolicy> retry;
  OnError on_error = OnError::fail;
  std::optional<StepBudget> budget;       ///< what one call uses at most
  std::string output_key;   ///< dotted variable that also gets the result; empty: none
  std::string checkpoint;   ///< name of the checkpoint made when the step has completed; empty: none
  Value metadata;

  Value fields;                   ///< the kind's own fields that hold no steps, canonical spelling; an object or null
  std::vector<Branch> branches;   ///< the kind's own blocks, in the order they were written
  std::vector<Branch> hooks;      ///< roles "on_error", "on_success", "compensate", "fallback": common to all kinds

  Location where;
  Places places;

  const Branch* hook(std::string_view role) const;
  /// The place of a field, or of the nearest part that has one: "data.items.3" → "data.items" → the step.
  Location place(std::string_view field) const;
};

/// One entry of `agents:`. Exactly one transport; its settings are read by that transport.
struct AgentConfig {
  std::string name;
  std::string transport;    ///< "exec", "http", "queue", "human", "chat", "mcp", "a2a", "handler"
  Value settings;           ///< the transport's own object
  Value limits;             ///< rate_limit, max_concurrent, circuit_breaker, bulkhead, key: read by the engine's limiters
  Location where;
};

struct Definition {
  std::string id;
  std::string name;
  std::string version;      ///< as written; "1" when left out
  std::string description;
  std::optional<Duration> timeout;
  CompensationStrategy compensation_strategy = CompensationStrategy::backward;
  Block compensation_steps; ///< with strategy custom
  std::vector<std::string> tags;
  Value variables_schema;   ///< JSON Schema of the input, or null
  Value variables;          ///< defaults: an object, or null
  Budget budget;
  std::optional<Concurrency> concurrency;
  std::uint32_t priority = kUsualPriority;
  std::uint32_t max_depth = 32;
  Value metadata;
  std::vector<AgentConfig> agents;
  std::vector<std::string> include;  ///< paths as written, relative to the file
  Block steps;

  std::string file;         ///< where it was read from; relative paths and `exec` start from its folder
  Places places;

  Location place(std::string_view field) const;
};

/// Calls `visit(step, path)` for every step, parents first. `path` is the chain of ids: "fan/pack".
void for_each_step(const Definition& definition, const std::function<void(const Step&, const std::string& path)>& visit);

}  // namespace mapflow
