// What a wish to start an instance comes to, wherever it was made.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/time.h"
#include "engine/engine.h"
#include "engine/letters.h"
#include "engine/program_cache.h"
#include "engine/random.h"

namespace mapflow::engine {

/// Checks the input and makes up an id where none is given. Errors: not_found (no such workflow), invalid_input (the
/// input does not fit variables_schema), resource_exhausted (it is larger than `payload_bytes`).
Result<StartDemand> make_start(const ProgramCache& programs, std::string_view workflow, StartOptions options,
                               std::size_t payload_bytes, Timestamp now, Random& random);

/// A start of the definition of an instance that was, with its input, and what its sub-workflows are started from; tagged
/// "rerun-of:<its id>". Errors: those of ProgramCache::find.
Result<StartDemand> make_rerun(ProgramCache& programs, const StoredInstance& former, std::string new_id, Timestamp now,
                               Random& random);

/// Errors: resource_exhausted when what a demand brings along is larger than `payload_bytes`.
Status check_payload(const Demand& demand, std::size_t payload_bytes);

}  // namespace mapflow::engine
