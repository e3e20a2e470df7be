#include "fluent/draft.h"

#include <fmt/format.h>

#include <algorithm>

#include "builder/printer.h"
#include "builder/reader.h"
#include "builder/reading.h"
#include "builder/render.h"
#include "builder/shape.h"
#include "builder/shorthand.h"
#include "steps/registry.h"
#include "value/json.h"

namespace mapflow::fluent {

namespace {

using Change = void (*)(Location&, const std::string& path);

/// Applies `change` to the places of every step in the block, with the step's path.
void change_places(Block& block, const std::string& prefix, Change change) {
  for (Step& step : block) {
    const std::string path = prefix + step.id;
    change(step.where, path);
    for (std::vector<Branch>* branches : {&step.branches, &step.hooks}) {
      for (Branch& branch : *branches) {
        change(branch.where, path);
        change_places(branch.steps, path + "/", change);
      }
    }
  }
}

void change_places(Definition& definition, Change change) {
  change_places(definition.steps, "", change);
  change_places(definition.compensation_steps, "compensation/", change);
}

/// A step that was made by a program has no line in a file; its path takes the place of one while it is checked.
void set_place(Location& where, const std::string& path) { where = {path, 0, 0}; }
void clear_place(Location& where, const std::string&) { where = {}; }

Error problems(const Diagnostics& found) {
  std::string message = "the workflow cannot be built:";
  for (const Diagnostic& each : found)
    if (each.severity == Severity::error) message += "\n  " + each.to_string();
  Error error(code::invalid_input, std::move(message));
  error.details = to_json(builder::to_value(found));
  return error;
}

}  // namespace

// --- putting together ---------------------------------------------------------------------------------------------------

std::size_t Draft::append(std::string_view kind) {
  Step step;
  step.type = kind;
  content.block.push_back(std::move(step));
  return content.block.size() - 1;
}

void Draft::append(Steps steps) {
  std::ranges::move(steps.block, std::back_inserter(content.block));
  add_people(steps.people);
}

void Draft::add_person(const std::string& name) {
  AgentConfig person;
  person.name = name;
  person.transport = "human";
  add_people({person});
}

void Draft::add_people(const std::vector<AgentConfig>& people) {
  for (const AgentConfig& person : people)
    if (std::ranges::find(content.people, person.name, &AgentConfig::name) == content.people.end()) content.people.push_back(person);
}

void Draft::set(std::size_t position, std::string_view field, const Value& value) {
  if (!value.is_null()) step(position).fields.set(field, builder::expand_shorthands(value, builder::TextMode::as_template));
}

void Draft::set_expression(std::size_t position, std::string_view field, std::string_view expression) {
  step(position).fields.set(field, expression_text(expression));
}

namespace {

Branch branch_of(std::string_view role, Steps& steps) {
  Branch branch;
  branch.role = role;
  branch.steps = std::move(steps.block);
  return branch;
}

void drop_role(std::vector<Branch>& branches, std::string_view role) {
  std::erase_if(branches, [role](const Branch& each) { return each.role == role; });
}

}  // namespace

void Draft::set_steps(std::size_t position, std::string_view role, Steps steps) {
  add_people(steps.people);
  drop_role(step(position).branches, role);
  step(position).branches.push_back(branch_of(role, steps));
}

void Draft::set_branches(std::size_t position, std::string_view role, std::vector<Steps> branches) {
  drop_role(step(position).branches, role);
  for (Steps& each : branches) {
    add_people(each.people);
    Branch branch = branch_of(role, each);
    branch.name = std::move(each.name);
    step(position).branches.push_back(std::move(branch));
  }
}

void Draft::set_cases(std::size_t position, std::string_view role, std::vector<Case> cases) {
  drop_role(step(position).branches, role);
  for (Case& each : cases) {
    add_people(each.steps.people);
    Branch branch = branch_of(role, each.steps);
    branch.when = expression_text(each.condition);
    step(position).branches.push_back(std::move(branch));
  }
}

void Draft::set_hook(std::size_t position, std::string_view role, Steps steps) {
  add_people(steps.people);
  drop_role(step(position).hooks, role);
  step(position).hooks.push_back(branch_of(role, steps));
}

// --- finishing ----------------------------------------------------------------------------------------------------------

Result<Definition> Draft::build(const KindCatalog& kinds, const builder::Surroundings& around) const {
  Definition whole = head;
  whole.steps = content.block;
  for (const AgentConfig& person : content.people)
    if (std::ranges::find(whole.agents, person.name, &AgentConfig::name) == whole.agents.end()) whole.agents.push_back(person);

  builder::name_steps(whole);
  change_places(whole, set_place);
  Diagnostics found;
  builder::check_shape(whole, kinds, found);

  // Through the document and the reader, so that a workflow means the same however it was made.
  builder::ReadResult read = builder::read_definition(builder::to_document(whole), kinds);
  Definition& definition = read.definitions.at(0);
  change_places(definition, set_place);
  std::ranges::move(builder::validate(read.definitions, kinds, around), std::back_inserter(found));
  change_places(definition, clear_place);
  builder::sort_diagnostics(found);
  // The reader looks at the shape as well, and does not know the steps' paths.
  for (Diagnostic& each : read.diagnostics) {
    const bool told = std::ranges::any_of(found, [&](const Diagnostic& other) { return other.code == each.code && other.message == each.message; });
    if (!told) found.push_back(std::move(each));
  }
  if (has_errors(found)) return fail(problems(found));
  return std::move(definition);
}

const KindCatalog& built_in_kinds() {
  static const std::unique_ptr<const kernel::KindRegistry> kKinds = steps::make_registry();
  return *kKinds;
}

std::string expression_text(std::string_view text) { return builder::expand_shorthand(text, builder::TextMode::as_expression); }

}  // namespace mapflow::fluent
