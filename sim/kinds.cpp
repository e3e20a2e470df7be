#include "sim/kinds.h"

#include "base/ensure.h"
#include "steps/registry.h"

namespace mapflow::sim {

std::unique_ptr<kernel::KindRegistry> make_kinds() {
  auto kinds = steps::make_registry();
  const Status added = kinds->add_retry_policy(kAsTold, [](const RetryQuestion& question) { return as_told(question.error, question.attempt); });
  ensure(added.has_value(), "nobody else has the name");
  return kinds;
}

std::optional<Duration> as_told(const Error& error, std::uint32_t attempt) {
  if (error.is("busy")) return std::nullopt;
  return std::chrono::milliseconds(700) * attempt;
}

}  // namespace mapflow::sim
