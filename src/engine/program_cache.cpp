#include "engine/program_cache.h"

#include <fmt/format.h>

#include <utility>

#include "builder/printer.h"
#include "builder/reader.h"
#include "jinja/workflow.h"
#include "value/json.h"

namespace mapflow::engine {

ProgramCache::ProgramCache(const kernel::KindRegistry& kinds, persistence::Store& store)
    : kinds_(kinds), store_(store), environment_(jinja::workflow_environment()) {}

Status Startable::check_input(const Value& given) const {
  if (!given.is_null() && !given.is_object())
    return fail(code::invalid_input, fmt::format("the input is a {}, not an object", to_string(given.type())));
  if (!input) return {};
  const auto found = input->check(given.is_null() ? Value(Object()) : given);
  if (found.empty()) return {};
  return fail(schema_error("the input", found));
}

Result<ProgramPtr> ProgramCache::add(Definition definition) {
  std::string hash = builder::content_hash(definition);
  auto startable = std::make_shared<Startable>();
  if (!definition.variables_schema.is_null()) {
    MAPFLOW_ASSIGN(startable->input, Schema::compile(definition.variables_schema));
  }
  ProgramPtr program = cached(hash);
  if (!program) {
    MAPFLOW_ASSIGN(program, kernel::compile(std::move(definition), hash, kinds_, environment_));
  }
  const std::lock_guard lock(mutex_);
  program = by_hash_.emplace(std::move(hash), std::move(program)).first->second;
  startable->program = program;
  current_.insert_or_assign(program->definition().id, std::move(startable));
  return program;
}

std::shared_ptr<const Startable> ProgramCache::current(std::string_view workflow) const {
  const std::lock_guard lock(mutex_);
  const auto found = current_.find(workflow);
  return found == current_.end() ? nullptr : found->second;
}

std::vector<std::string> ProgramCache::workflows() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> ids;
  for (const auto& [id, startable] : current_) ids.push_back(id);
  return ids;
}

ProgramPtr ProgramCache::cached(std::string_view hash) const {
  const std::lock_guard lock(mutex_);
  const auto found = by_hash_.find(hash);
  return found == by_hash_.end() ? nullptr : found->second;
}

Result<ProgramPtr> ProgramCache::find(std::string_view hash) {
  if (ProgramPtr program = cached(hash)) return program;
  MAPFLOW_ASSIGN(const persistence::DefinitionRow row, store_.definition(hash));
  return read(row.document, hash);
}

Result<ProgramPtr> ProgramCache::find_or_read(std::string_view hash, const std::string& document) {
  if (document.empty()) return find(hash);
  if (ProgramPtr program = cached(hash)) return program;
  return read(document, hash);
}

Result<ProgramPtr> ProgramCache::read(const std::string& document, std::string_view hash) {
  MAPFLOW_ASSIGN(const Value value, parse_json(document));
  builder::ReadResult read = builder::read_definition(value, kinds_);
  if (read.definitions.empty() || has_errors(read.diagnostics))
    return fail(code::corrupt, fmt::format("the stored definition {} does not read back{}", hash,
                                           read.diagnostics.empty() ? "" : ": " + read.diagnostics.front().message));
  Definition& definition = read.definitions.front();
  if (builder::content_hash(definition) != hash)
    return fail(code::corrupt, fmt::format("the stored definition {} has another content than its hash says", hash));
  MAPFLOW_ASSIGN(ProgramPtr program, kernel::compile(std::move(definition), std::string(hash), kinds_, environment_));
  const std::lock_guard lock(mutex_);
  return by_hash_.emplace(hash, std::move(program)).first->second;
}

persistence::DefinitionRow definition_row(const kernel::Program& program) {
  const Definition& definition = program.definition();
  return {program.hash(), definition.id, definition.version,
          to_json(builder::to_document(definition, builder::PlacesIn::document))};
}

}  // namespace mapflow::engine
