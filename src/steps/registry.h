// The built-in step kinds, one file each in this folder, and the one table that lists them.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "kernel/step_kind.h"

namespace mapflow::steps {

/// Whom sub-workflow steps ask in the place of a workflow that somebody stands in for. No definition can declare that name.
inline constexpr std::string_view kStandIn = "workflow:";
/// Ids of workflows that are not started when a step calls them: the agent kStandIn is asked, with the workflow's id as the
/// action and its input as the data, and answers as a child ends, {results, variables}. For tests.
using StandIns = std::set<std::string, std::less<>>;

/// A registry of all built-in kinds; more may be added to it.
std::unique_ptr<kernel::KindRegistry> make_registry(StandIns stand_ins = {});

// One maker per file. To add a kind: write its file, declare its maker here, list it in registry.cpp.
std::unique_ptr<const kernel::StepKind> make_message();
std::unique_ptr<const kernel::StepKind> make_custom();
std::unique_ptr<const kernel::StepKind> make_transform();
std::unique_ptr<const kernel::StepKind> make_conditional();
std::unique_ptr<const kernel::StepKind> make_parallel();
std::unique_ptr<const kernel::StepKind> make_loop();
std::unique_ptr<const kernel::StepKind> make_wait();
std::unique_ptr<const kernel::StepKind> make_sequence();
std::unique_ptr<const kernel::StepKind> make_aggregate();
std::unique_ptr<const kernel::StepKind> make_subworkflow(StandIns stand_ins);

}  // namespace mapflow::steps
