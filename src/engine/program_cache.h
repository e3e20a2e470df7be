// Compiled definitions by content hash: each is compiled once, whoever asks for it.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "jinja/jinja.h"
#include "kernel/program.h"
#include "kernel/step_kind.h"
#include "persistence/store.h"

namespace mapflow::engine {

using ProgramPtr = std::shared_ptr<const kernel::Program>;

/// Thread safety: every call may come from any thread.
class ProgramCache {
 public:
  /// The kinds must not change any more once the first definition is compiled.
  ProgramCache(const kernel::KindRegistry& kinds, persistence::Store& store);

  /// Compiles a definition; from now on it is the current one of its id. Errors: as kernel::compile; invalid_input
  /// when its variables_schema is no JSON Schema.
  Result<ProgramPtr> add(Definition definition);
  /// The current definition of a workflow; nullptr when none was added.
  ProgramPtr current(std::string_view workflow) const;
  /// What an instance of `program` and its sub-workflows may start: the current programs of the workflows it names, and
  /// that these name; of all workflows, when one is named by a template.
  std::vector<ProgramPtr> library(const kernel::Program& program) const;
  std::vector<std::string> workflows() const;

  /// The program of that hash, from memory or from the store. Errors: not_found, corrupt, and those of the store.
  Result<ProgramPtr> find(std::string_view hash);
  /// The same, from a document that came with a command. Errors: corrupt when it does not have that hash.
  Result<ProgramPtr> find_or_read(std::string_view hash, const std::string& document);

 private:
  Result<ProgramPtr> read(const std::string& document, std::string_view hash);
  ProgramPtr cached(std::string_view hash) const;

  const kernel::KindRegistry& kinds_;
  persistence::Store& store_;
  const jinja::Environment environment_;
  mutable std::mutex mutex_;
  std::map<std::string, ProgramPtr, std::less<>> by_hash_;
  std::map<std::string, ProgramPtr, std::less<>> current_;
};

/// The definition as the store keeps it, places included, so that its errors still say file, line and column.
persistence::DefinitionRow definition_row(const kernel::Program& program);

}  // namespace mapflow::engine
