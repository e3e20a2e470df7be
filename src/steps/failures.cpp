#include "steps/failures.h"

#include <algorithm>

#include "value/json.h"

namespace mapflow::steps {

std::string list_of(const BlockErrors& errors, const std::function<std::string(std::uint32_t slot)>& name) {
  constexpr std::size_t kMost = 100;
  if (errors.size() < 2) return {};
  Array listed;
  for (std::size_t i = 0; i < std::min(errors.size(), kMost); ++i) {
    const auto& [slot, error] = errors[i];
    listed.push_back(object({{"block", name(slot)}, {"step", error.step}, {"path", error.path}, {"code", error.code},
                             {"message", error.message}}));
  }
  return to_json(object({{"errors", Value(std::move(listed))}}));
}

}  // namespace mapflow::steps
