#include "engine/start_demand.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "engine/instance_id.h"
#include "model/diagnostic.h"
#include "value/json.h"

namespace mapflow::engine {
namespace {

constexpr std::string_view kRerunTag = "rerun-of:";  // by which a rerun is found from the instance it repeats

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
  demand.start.breakpoints = std::move(options.breakpoints);
  demand.library = programs.library(*program);
  return demand;
}

Result<StartDemand> make_rerun(ProgramCache& programs, const StoredInstance& former, std::string new_id, Timestamp now,
                               Random& random) {
  const kernel::State& state = former.state;
  StartDemand demand{former.program, {}, !new_id.empty()};
  demand.start.id = demand.id_given ? std::move(new_id) : make_instance_id(now, random);
  demand.start.correlation_id = state.correlation_id;
  demand.start.input = state.input;
  demand.start.rerun_of = state.id;
  const std::size_t own = former.program->definition().tags.size();  // the definition gives these again
  demand.start.tags.assign(state.tags.begin() + static_cast<std::ptrdiff_t>(std::min(own, state.tags.size())), state.tags.end());
  std::erase_if(demand.start.tags, [](const std::string& tag) { return tag.starts_with(kRerunTag); });
  demand.start.tags.push_back(std::string(kRerunTag) + state.id);
  if (state.library.is_object())
    for (const auto& [workflow, hash] : state.library.as_object()) {
      MAPFLOW_ASSIGN(ProgramPtr program, programs.find(hash.as_text()));
      demand.library.push_back(std::move(program));
    }
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
