// The built-in step kinds, one file each in this folder, and the one table that lists them.
#pragma once

#include <memory>

#include "kernel/step_kind.h"

namespace mapflow::steps {

/// A registry of all built-in kinds; more may be added to it.
std::unique_ptr<kernel::KindRegistry> make_registry();

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
std::unique_ptr<const kernel::StepKind> make_subworkflow();

}  // namespace mapflow::steps
