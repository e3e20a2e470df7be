#include "engine/finished_instance.h"

#include <fmt/format.h>

#include <type_traits>
#include <utility>

#include "engine/snapshot.h"
#include "kernel/history.h"
#include "kernel/machine.h"

namespace mapflow::engine {

std::optional<kernel::Input> input_of(const Demand& demand) {
  return std::visit(
      [](const auto& wish) -> std::optional<kernel::Input> {
        if constexpr (std::is_constructible_v<kernel::Input, decltype(wish)>)
          return kernel::Input(wish);
        else
          return std::nullopt;
      },
      demand);
}

Status check_same_start(const StartDemand& demand, const kernel::State& existing) {
  const std::string& workflow = demand.program->definition().id;
  if (existing.workflow != workflow)
    return fail(code::conflict, fmt::format("instance '{}' exists and is one of workflow '{}', not '{}'", existing.id,
                                            existing.workflow, workflow));
  if (!(existing.input == demand.start.input))
    return fail(code::conflict, fmt::format("instance '{}' exists and was started with another input", existing.id),
                "give the same input to get that instance, or another id to start a new one");
  return {};
}

Result<Value> ask_finished(const persistence::InstanceRow& row, const Demand& demand, ProgramCache& programs,
                           Timestamp now) {
  MAPFLOW_ASSIGN(Snapshot snapshot, decode_snapshot(row.snapshot));
  if (const auto* start = std::get_if<StartDemand>(&demand)) {
    MAPFLOW_TRY(check_same_start(*start, snapshot.state));
    return Value(true);
  }
  if (std::holds_alternative<WatchDemand>(demand)) return kernel::outcome_document(snapshot.state, now);
  MAPFLOW_ASSIGN(const ProgramPtr program, programs.find(row.definition));
  if (std::holds_alternative<DescribeDemand>(demand)) return kernel::instance_document(*program, snapshot.state, now);
  // The kernel alone knows which requests mean something to an instance that is over.
  kernel::Commit commit = kernel::decide(*program, snapshot.state, *input_of(demand), now);
  if (commit.refused) return fail(*std::move(commit.refused));
  if (!commit.records.empty())
    return fail(code::invalid_state, fmt::format("instance '{}' is over ({})", row.id, row.state));
  return Value();
}

}  // namespace mapflow::engine
