// The head of a workflow: everything but its steps.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "builder/reading.h"

namespace mapflow::builder {

namespace {

constexpr std::array<std::string_view, 18> kKeys{
    "id", "name", "version", "description", "timeout", "compensation_strategy", "compensation_steps", "tags",
    "variables_schema", "variables", "budget", "concurrency", "priority", "max_depth", "metadata", "agents", "include", "steps"};
constexpr std::array<std::string_view, 5> kCompensation{"none", "backward", "forward", "parallel", "custom"};

class WorkflowReader {
 public:
  WorkflowReader(Reading& reading, Node root) : reading_(reading), root_(root) {}

  Definition read() {
    if (const Node file = root_.find("$file"); file && file.is_text()) reading_.set_file(std::string(file.text()));
    definition_.file = reading_.file();
    definition_.version = "1";
    for (const Node member : root_.children()) {
      const std::string_view key = member.key();
      // `$schema` is for editors, `x-…` for anchors and notes.
      if (key.starts_with('$') || key.starts_with("x-")) continue;
      if (std::ranges::find(kKeys, key) == kKeys.end()) {
        reading_.unknown_key(member, "a workflow", kKeys);
        continue;
      }
      reading_.note(definition_.places, std::string(key), member.mark());
      if (!member.is_null() || key == "steps") read_member(member);
    }
    // What is missing is told where the workflow begins.
    for (const char* needed : {"id", "steps"})
      if (!root_.find(needed)) reading_.note(definition_.places, needed, root_.mark());
    restore_places();
    return std::move(definition_);
  }

 private:
  void read_member(Node member) {
    const std::string_view key = member.key();
    const auto keep_text = [&](std::string& into) {
      if (auto text = reading_.text(member, key)) into = *std::move(text);
    };
    if (key == "id") keep_text(definition_.id);
    else if (key == "name") keep_text(definition_.name);
    else if (key == "version") keep_text(definition_.version);
    else if (key == "description") keep_text(definition_.description);
    else if (key == "timeout") definition_.timeout = reading_.duration(member, key);
    else if (key == "compensation_strategy") read_strategy(member);
    else if (key == "compensation_steps") definition_.compensation_steps = read_block(reading_, member, key);
    else if (key == "tags") definition_.tags = reading_.texts(member, key);
    else if (key == "variables_schema") definition_.variables_schema = read_schema(member);
    else if (key == "variables") definition_.variables = read_object(member);
    else if (key == "budget") definition_.budget = read_budget(reading_, member);
    else if (key == "concurrency") definition_.concurrency = read_concurrency(reading_, member, definition_.places);
    else if (key == "priority") definition_.priority = static_cast<std::uint32_t>(reading_.integer(member, key, 0, kHighestPriority).value_or(kUsualPriority));
    else if (key == "max_depth") definition_.max_depth = static_cast<std::uint32_t>(reading_.integer(member, key, 1, 10'000).value_or(32));
    else if (key == "metadata") definition_.metadata = member.to_value();
    else if (key == "agents") read_agents(member);
    else if (key == "include") definition_.include = reading_.texts(member, key);
    else definition_.steps = read_block(reading_, member, key);
  }

  void read_strategy(Node member) {
    if (const auto chosen = reading_.choice(member, member.key(), kCompensation))
      definition_.compensation_strategy = static_cast<CompensationStrategy>(*chosen);
  }

  Value read_schema(Node member) {
    if (!member.is_map() && !(member.is_scalar() && member.scalar().is_bool()))
      reading_.error(mf::wrong_type, member.mark(), fmt::format("'variables_schema' must be a JSON Schema, not {}", member.kind_name()));
    note_parts(member, "variables_schema");
    return member.to_value();
  }

  /// Every part of a schema: what is wrong with one is told at its place.
  void note_parts(Node node, const std::string& path) {
    for (const Node part : node.children()) {
      if (part.key().empty()) continue;  // elements of lists are told by their list
      const std::string below = path + "." + std::string(part.key());
      reading_.note(definition_.places, below, part.mark());
      note_parts(part, below);
    }
  }

  Value read_object(Node member) {
    if (!reading_.expect_map(member, member.key())) return Value();
    for (const Node each : member.children())
      reading_.note(definition_.places, std::string(member.key()) + "." + std::string(each.key()), each.key_mark());
    return member.to_value();
  }

  void read_agents(Node member) {
    if (!reading_.expect_map(member, "agents")) return;
    for (const Node each : member.children()) definition_.agents.push_back(read_agent(reading_, each, definition_.places));
  }

  void restore_places() {
    const Node places = root_.find("$places");
    if (!places || !places.is_map()) return;
    for (const Node each : places.children()) {
      const Value pair = each.to_value();
      if (!pair.is_array() || pair.size() != 2 || !pair.as_array()[0].is_integer() || !pair.as_array()[1].is_integer()) continue;
      definition_.places.insert_or_assign(std::string(each.key()),
                                          reading_.at({static_cast<std::uint32_t>(pair.as_array()[0].as_integer()),
                                                       static_cast<std::uint32_t>(pair.as_array()[1].as_integer())}));
    }
    for (AgentConfig& agent : definition_.agents) agent.where = definition_.place("agents." + agent.name);
  }

  Reading& reading_;
  Node root_;
  Definition definition_;
};

class Namer {
 public:
  void run(Definition& definition) {
    collect(definition.steps);
    collect(definition.compensation_steps);
    assign(definition.steps);
    assign(definition.compensation_steps);
  }

 private:
  void collect(const Block& block) {
    for (const Step& step : block) {
      if (!step.id.empty()) taken_.insert(step.id);
      for (const Branch& branch : step.branches) collect(branch.steps);
      for (const Branch& hook : step.hooks) collect(hook.steps);
    }
  }

  void assign(Block& block) {
    for (Step& step : block) {
      const std::size_t number = ++counts_[step.type];
      if (step.id.empty()) {
        const std::string kind = step.type.empty() ? "step" : step.type;
        step.id = fmt::format("{}_{}", kind, number);
        for (int again = 2; taken_.contains(step.id); ++again) step.id = fmt::format("{}_{}_{}", kind, number, again);
        taken_.insert(step.id);
      }
      for (Branch& branch : step.branches) assign(branch.steps);
      for (Branch& hook : step.hooks) assign(hook.steps);
    }
  }

  std::set<std::string, std::less<>> taken_;
  std::map<std::string, std::size_t> counts_;
};

}  // namespace

std::optional<Definition> read_workflow(Reading& reading, Node root) {
  if (!root.is_map()) {
    reading.error(mf::no_definition, root.mark(), fmt::format("a workflow must be an object with id and steps, not {}", root.kind_name()));
    return std::nullopt;
  }
  translate_workflow(reading, root);
  Definition definition = WorkflowReader(reading, root).read();
  name_steps(definition);
  return definition;
}

std::span<const std::string_view> workflow_keys() { return kKeys; }

void name_steps(Definition& definition) { Namer().run(definition); }

}  // namespace mapflow::builder
