#include "engine/replay.h"

#include <variant>

#include "kernel/codec.h"

namespace mapflow::engine {

Status replay(const kernel::Program& program, kernel::State& state, std::string_view records,
              const std::function<void(const kernel::State& before, const kernel::Record& record)>& see) {
  kernel::RecordReader reader(records);
  while (!reader.done()) {
    MAPFLOW_ASSIGN(const kernel::Record record, reader.next());
    if (see) see(state, record);
    kernel::apply(program, state, record);
  }
  return {};
}

Result<std::string> definition_of(std::string_view records) {
  MAPFLOW_ASSIGN(const kernel::Record first, kernel::RecordReader(records).next());
  const auto* const started = std::get_if<kernel::InstanceStarted>(&first.body);
  if (!started) return fail(code::corrupt, "an instance's records do not begin with its start");
  return started->definition;
}

}  // namespace mapflow::engine
