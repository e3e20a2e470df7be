#include "engine/start_demand.h"

#include <fmt/format.h>

#include <utility>

#include "engine/instance_id.h"
#include "model/diagnostic.h"
#include "value/json.h"

namespace mapflow::engine {
namespace {

Status check_size(std::string_view what, const Value& value, std::size_t limit) {
  if (value.memory_bytes() <= limit || to_json(value).size() <= limit) return {};
  return fail(code::resource_exhausted, fmt::format("the {} is larger than {} bytes", what, limit));
}

}  // namespace

Result<StartDemand> make_start(const ProgramCache& programs, std::string_view workflow, StartOptions options,
                               std::size_t payload_bytes, Timestamp now, Random& random) {
  const ProgramPtr program = programs.current(workflow);
  if (!program)
    return fail(code::not_found, fmt::format("there is no workflow '{}'", workflow), did_you_mean(workflow, programs.workflows()));
  MAPFLOW_TRY(program->check_input(options.input));
  MAPFLOW_TRY(check_size("input", options.input, payload_bytes));
  StartDemand demand{program, {}, !options.id.empty()};
  demand.start.id = demand.id_given ? std::move(options.id) : make_instance_id(now, random);
  demand.start.correlation_id = std::move(options.correlation_id);
  demand.start.input = std::move(options.input);
  demand.start.tags = std::move(options.tags);
  demand.library = programs.library(*program);
  return demand;
}

Status check_payload(const Demand& demand, std::size_t payload_bytes) {
  if (const auto* signal = std::get_if<kernel::Signal>(&demand)) return check_size("payload", signal->payload, payload_bytes);
  if (const auto* skip = std::get_if<kernel::Skip>(&demand)) return check_size("result", skip->result, payload_bytes);
  if (const auto* update = std::get_if<kernel::Update>(&demand)) return check_size("update", update->variables, payload_bytes);
  if (const auto* complete = std::get_if<kernel::Complete>(&demand); complete && complete->outcome)
    return check_size("answer", complete->outcome->result, payload_bytes);
  return {};
}

}  // namespace mapflow::engine
