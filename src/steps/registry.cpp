#include "steps/registry.h"

#include <utility>

#include "base/ensure.h"

namespace mapflow::steps {

std::unique_ptr<kernel::KindRegistry> make_registry(StandIns stand_ins) {
  using Maker = std::unique_ptr<const kernel::StepKind> (*)();
  static constexpr Maker kMakers[] = {make_message,   make_parallel,  make_conditional, make_loop,     make_wait,
                                      make_transform, make_aggregate, make_custom,      make_sequence};
  auto registry = std::make_unique<kernel::KindRegistry>();
  for (const Maker make : kMakers) ensure(registry->add(make()).has_value(), "built-in kinds have different names");
  ensure(registry->add(make_subworkflow(std::move(stand_ins))).has_value(), "built-in kinds have different names");
  return registry;
}

}  // namespace mapflow::steps
