// Encoded records back into a state.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "base/error.h"
#include "kernel/program.h"
#include "kernel/record.h"
#include "kernel/state.h"

namespace mapflow::engine {

/// Applies records that were encoded one after the other. `see`, when given, is shown each record with the state
/// before it. Errors: those of kernel::RecordReader.
Status replay(const kernel::Program& program, kernel::State& state, std::string_view records,
              const std::function<void(const kernel::State& before, const kernel::Record& record)>& see = {});

/// The content hash of the definition that records beginning an instance name. Errors: corrupt when they do not begin
/// one.
Result<std::string> definition_of(std::string_view records);

}  // namespace mapflow::engine
