#include "engine/program_cache.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "builder/printer.h"
#include "builder/reader.h"
#include "jinja/workflow.h"
#include "value/json.h"

namespace mapflow::engine {

ProgramCache::ProgramCache(const kernel::KindRegistry& kinds, persistence::Store& store)
    : kinds_(kinds), store_(store), environment_(jinja::workflow_environment()) {}

Result<ProgramPtr> ProgramCache::add(Definition definition) {
  std::string hash = builder::content_hash(definition);
  ProgramPtr program = cached(hash);
  if (!program) {
    // What was put together in code may say the same in other words. The store will give it back in its own.
    auto stored = builder::read_definition(builder::to_document(definition, builder::PlacesIn::document), kinds_);
    if (stored.definitions.empty() || has_errors(stored.diagnostics))
      return fail(code::invalid_input, fmt::format("workflow '{}' is not sound{}", definition.id,
                                                   stored.diagnostics.empty() ? "" : ": " + stored.diagnostics.front().message));
    if (std::string its = builder::content_hash(stored.definitions.front()); its != hash) {
      definition = std::move(stored.definitions.front());
      hash = std::move(its);
      program = cached(hash);
    }
  }
  if (!program) {
    MAPFLOW_ASSIGN(program, kernel::compile(std::move(definition), hash, kinds_, environment_));
  }
  const std::lock_guard lock(mutex_);
  program = by_hash_.emplace(std::move(hash), std::move(program)).first->second;
  current_.insert_or_assign(program->definition().id, program);
  return program;
}

ProgramPtr ProgramCache::current(std::string_view workflow) const {
  const std::lock_guard lock(mutex_);
  const auto found = current_.find(workflow);
  return found == current_.end() ? nullptr : found->second;
}

std::vector<std::string> ProgramCache::workflows() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> ids;
  for (const auto& [id, program] : current_) ids.push_back(id);
  return ids;
}

namespace {

/// The workflows that the steps of a program name. False: one of them is named by a template.
bool collect_called(const kernel::Program& program, std::vector<std::string>& called) {
  bool all_named = true;
  for (std::size_t i = 0; i < program.node_count(); ++i) {
    const kernel::StepNode& node = program.node(kernel::NodeIndex(static_cast<std::uint32_t>(i)));
    for (const FieldSpec& field : node.kind->schema().fields) {
      if (field.meaning != FieldMeaning::workflow) continue;
      const Value* const value = node.step->fields.find(field.name);
      if (!value || !value->is_text()) continue;
      if (jinja::has_template(value->as_text())) all_named = false;
      else called.emplace_back(value->as_text());
    }
  }
  return all_named;
}

}  // namespace

std::vector<ProgramPtr> ProgramCache::library(const kernel::Program& program) const {
  std::vector<std::string> called;
  bool all_named = collect_called(program, called);
  std::vector<ProgramPtr> library;
  const std::lock_guard lock(mutex_);
  while (all_named && !called.empty()) {
    const auto found = current_.find(called.back());
    called.pop_back();
    if (found == current_.end() || std::ranges::find(library, found->second) != library.end()) continue;
    library.push_back(found->second);
    all_named = collect_called(*found->second, called);
  }
  if (all_named) return library;
  library.clear();
  for (const auto& [id, current] : current_) library.push_back(current);
  return library;
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
