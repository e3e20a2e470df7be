#include "model/definition.h"

namespace mapflow {

namespace {

Location nearest(const Places& places, std::string_view field, const Location& otherwise) {
  for (;;) {
    if (const auto found = places.find(field); found != places.end()) return found->second;
    const auto dot = field.rfind('.');
    if (dot == std::string_view::npos) return otherwise;
    field = field.substr(0, dot);
  }
}

using Visit = std::function<void(const Step&, const std::string&)>;

void walk(const Block& block, const std::string& prefix, const Visit& visit) {
  for (const Step& step : block) {
    const std::string path = prefix + step.id;
    visit(step, path);
    for (const Branch& branch : step.branches) walk(branch.steps, path + "/", visit);
    for (const Branch& hook : step.hooks) walk(hook.steps, path + "/", visit);
  }
}

}  // namespace

const Branch* Step::hook(std::string_view role) const {
  for (const Branch& branch : hooks)
    if (branch.role == role) return &branch;
  return nullptr;
}

Location Step::place(std::string_view field) const { return nearest(places, field, where); }

Location Definition::place(std::string_view field) const { return nearest(places, field, {file, 1, 1}); }

void for_each_step(const Definition& definition, const Visit& visit) {
  walk(definition.steps, "", visit);
  walk(definition.compensation_steps, "compensation/", visit);
}

}  // namespace mapflow
