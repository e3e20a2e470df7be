// What a workflow would do, as far as that can be told without doing it: mode dry_run.
#pragma once

#include "model/definition.h"
#include "model/kind_schema.h"
#include "value/value.h"

namespace mapflow::builder {

/// The steps in their order, with everything rendered that follows from `variables` (an object: the defaults and the
/// input) alone. Calls nobody. What depends on a step's result, on the clock or on chance stays as it was written.
///
///   {"workflow", "version", "steps": [{"id", "type", "when"?, "skipped"?, "fields"?, "needs"?, "problems"?, "retry"?,
///     "timeout"?, "total_timeout"?, "blocks"?: [{"role", "name"?, "when"?, "taken"?, "steps"}]}]}
///
/// `needs`: the names that its templates wait for. `taken`: whether the block runs, where that is known. `problems`: why
/// templates would fail, though all they read is known.
Value plan(const Definition& definition, const KindCatalog& kinds, const Value& variables);

}  // namespace mapflow::builder
