#include "engine/command.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "base/ensure.h"
#include "value/json.h"

namespace mapflow::engine {
namespace {

template <class... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};

std::string text_of(const Value& value, std::string_view key) {
  const Value* const member = value.find(key);
  return member && member->is_text() ? std::string(member->as_text()) : std::string();
}
Value value_of(const Value& value, std::string_view key) {
  const Value* const member = value.find(key);
  return member ? *member : Value();
}

Value encode_budget(const Budget& budget) {
  Value out(Object{});
  if (budget.tokens) out.set("tokens", *budget.tokens);
  if (budget.cost_usd) out.set("cost_usd", *budget.cost_usd);
  if (budget.steps) out.set("steps", *budget.steps);
  if (budget.wall_time) out.set("wall_time_us", budget.wall_time->count());
  return out;
}

Budget decode_budget(const Value& value) {
  Budget budget;
  const auto count = [&](const char* name) -> std::optional<std::uint64_t> {
    const Value* const member = value.find(name);
    if (!member || !member->is_integer()) return std::nullopt;
    return static_cast<std::uint64_t>(std::max<std::int64_t>(0, member->as_integer()));
  };
  budget.tokens = count("tokens");
  budget.steps = count("steps");
  if (const auto span = count("wall_time_us")) budget.wall_time = Duration(static_cast<std::int64_t>(*span));
  if (const Value* cost = value.find("cost_usd"); cost && cost->is_number()) budget.cost_usd = cost->as_double();
  return budget;
}

std::vector<std::string> texts_of(const Value& value, std::string_view key) {
  std::vector<std::string> texts;
  const Value* const member = value.find(key);
  if (member && member->is_array())
    for (const Value& each : member->as_array())
      if (each.is_text()) texts.emplace_back(each.as_text());
  return texts;
}

Value encode_start(const StartDemand& demand, persistence::Store& store) {
  Array tags;
  for (const std::string& tag : demand.start.tags) tags.emplace_back(tag);
  Value out = object({{"command", "start"}, {"definition", demand.program->hash()}, {"input", demand.start.input},
                      {"correlation_id", demand.start.correlation_id}, {"parent", demand.start.parent_id}, {"rerun_of", demand.start.rerun_of},
                      {"tags", std::move(tags)}, {"id_given", demand.id_given}});
  if (demand.start.breakpoints) {
    Array breakpoints;
    for (const std::string& each : *demand.start.breakpoints) breakpoints.emplace_back(each);
    out.set("breakpoints", Value(std::move(breakpoints)));
  }
  if (!store.definition(demand.program->hash())) out.set("document", definition_row(*demand.program).document);
  Array library;
  for (const ProgramPtr& program : demand.library) {
    Value entry = object({{"definition", program->hash()}});
    if (!store.definition(program->hash())) entry.set("document", definition_row(*program).document);
    library.push_back(std::move(entry));
  }
  if (!library.empty()) out.set("library", Value(std::move(library)));
  return out;
}

Result<Demand> decode_start(const Value& command, std::string id, ProgramCache& programs) {
  StartDemand demand;
  MAPFLOW_ASSIGN(demand.program, programs.find_or_read(text_of(command, "definition"), text_of(command, "document")));
  demand.start.id = std::move(id);
  demand.start.input = value_of(command, "input");
  demand.start.correlation_id = text_of(command, "correlation_id");
  demand.start.parent_id = text_of(command, "parent");
  demand.start.rerun_of = text_of(command, "rerun_of");
  if (const Value* library = command.find("library"); library && library->is_array()) {
    for (const Value& entry : library->as_array()) {
      MAPFLOW_ASSIGN(ProgramPtr program, programs.find_or_read(text_of(entry, "definition"), text_of(entry, "document")));
      demand.library.push_back(std::move(program));
    }
  }
  demand.start.tags = texts_of(command, "tags");
  if (command.find("breakpoints")) demand.start.breakpoints = texts_of(command, "breakpoints");
  demand.id_given = command.find("id_given") && *command.find("id_given") == Value(true);
  return Demand(std::move(demand));
}

}  // namespace

std::string encode_command(const std::string& instance, const Demand& demand, persistence::Store& store,
                           const std::string& id) {
  Value out = std::visit(
      Overloaded{
          [&](const StartDemand& start) { return encode_start(start, store); },
          [](const kernel::Signal& s) { return object({{"command", "signal"}, {"name", s.name}, {"payload", s.payload}}); },
          [](const kernel::Pause& pause) { return object({{"command", "pause"}, {"reason", pause.reason}}); },
          [](const kernel::Resume&) { return object({{"command", "resume"}}); },
          [](const kernel::Cancel& cancel) { return object({{"command", "cancel"}, {"reason", cancel.reason}}); },
          [](const kernel::Terminate& end) { return object({{"command", "terminate"}, {"reason", end.reason}}); },
          [](const kernel::Retry& retry) { return object({{"command", "retry"}, {"step", retry.step}}); },
          [](const kernel::Skip& s) { return object({{"command", "skip"}, {"step", s.step}, {"result", s.result}}); },
          [](const kernel::Update& update) {
            Value wish = object({{"command", "update"}, {"variables", update.variables}});
            if (update.budget) wish.set("budget", encode_budget(*update.budget));
            return wish;
          },
          [](const kernel::MakeCheckpoint& make) { return object({{"command", "checkpoint"}, {"name", make.name}}); },
          [](const kernel::Debug& debug) {
            Array breakpoints;
            for (const std::string& each : debug.breakpoints) breakpoints.emplace_back(each);
            return object({{"command", "debug"}, {"on", debug.on}, {"breakpoints", Value(std::move(breakpoints))}});
          },
          [](const kernel::StepOnce&) { return object({{"command", "step"}}); },
          [](const kernel::Rewind& rewind) {
            return object({{"command", "rewind"}, {"checkpoint", rewind.place.checkpoint}, {"before", rewind.place.before}});
          },
          [](const kernel::Complete& complete) {
            Value answer = object({{"command", "complete"}, {"token", complete.token}});
            if (complete.outcome) answer.set("result", complete.outcome->result);
            else answer.set("error", to_value(complete.outcome.error()));
            return answer;
          },
          [](const auto&) {
            ensure(false, "questions are asked of the owner itself, not left in an inbox");
            return Value();
          },
      },
      demand);
  out.set("instance", instance);
  if (!id.empty()) out.set("id", id);
  return to_json(out);
}

Result<Command> decode_command(std::string_view bytes, ProgramCache& programs) {
  MAPFLOW_ASSIGN(const Value value, parse_json(bytes));
  Command command;
  command.instance = text_of(value, "instance");
  const std::string name = text_of(value, "command");
  command.ticket = {text_of(value, "id"), name};
  if (command.instance.empty()) return fail(code::invalid_input, "a command names no instance");
  if (name == "start") {
    MAPFLOW_ASSIGN(command.demand, decode_start(value, command.instance, programs));
  } else if (name == "signal") {
    command.demand = kernel::Signal{text_of(value, "name"), value_of(value, "payload")};
  } else if (name == "pause") {
    command.demand = kernel::Pause{text_of(value, "reason")};
  } else if (name == "resume") {
    command.demand = kernel::Resume{};
  } else if (name == "cancel") {
    command.demand = kernel::Cancel{text_of(value, "reason")};
  } else if (name == "terminate") {
    command.demand = kernel::Terminate{text_of(value, "reason")};
  } else if (name == "retry") {
    command.demand = kernel::Retry{text_of(value, "step")};
  } else if (name == "skip") {
    command.demand = kernel::Skip{text_of(value, "step"), value_of(value, "result")};
  } else if (name == "update") {
    kernel::Update update{value_of(value, "variables")};
    if (const Value* budget = value.find("budget")) update.budget = decode_budget(*budget);
    command.demand = std::move(update);
  } else if (name == "checkpoint") {
    command.demand = kernel::MakeCheckpoint{text_of(value, "name")};
  } else if (name == "debug") {
    command.demand = kernel::Debug{value_of(value, "on") != Value(false), texts_of(value, "breakpoints")};
  } else if (name == "step") {
    command.demand = kernel::StepOnce{};
  } else if (name == "rewind") {
    command.demand = kernel::Rewind{{text_of(value, "checkpoint"), text_of(value, "before")}, false, nullptr};
  } else if (name == "complete") {
    const Value* const error = value.find("error");
    Result<Reply> outcome = Reply{value_of(value, "result")};
    if (error) outcome = fail(error_from_value(*error));
    command.demand = kernel::Complete{text_of(value, "token"), std::move(outcome)};
  } else {
    return fail(code::invalid_input, fmt::format("unknown command '{}'", name));
  }
  return command;
}

}  // namespace mapflow::engine
