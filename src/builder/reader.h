// Text to definitions: YAML or JSON, the ancestor's spellings, includes, several documents in one text.
//
//   const ReadResult read = read_definitions(text, "orders.yaml", kinds, &files);
//   if (has_errors(read.diagnostics)) …          // all problems, not the first
//   read.definitions.front()                     // the main one; then the text's others; then the included ones
//
// The reader knows no step kind by name: what fields a kind has, its schema in the catalog says. What comes out is
// canonical: one spelling of every field, `${a.b}` written as `{{ a.b }}`, one enclosing `{{ }}` taken off expressions,
// every step with an id, a list wherever steps stand. Meaning (templates, references, agents) is the validator's part.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "builder/document.h"
#include "model/definition.h"
#include "model/diagnostic.h"
#include "model/kind_schema.h"
#include "value/value.h"

namespace mapflow::builder {

/// Where included files come from. Implemented by the command line (the disk) and by tests (a map).
class FileSource {
 public:
  virtual ~FileSource() = default;
  /// The text of the file at `path`, which is relative to the including file's folder already. Errors: not_found, or
  /// whatever kept it from being read.
  virtual Result<std::string> read(const std::string& path) const = 0;
};

struct ReadResult {
  /// Whatever could be read, even when there are errors, so that a validator can find further problems in it; only
  /// definitions without errors may be run.
  std::vector<Definition> definitions;
  Diagnostics diagnostics;
};

/// Reads every definition in a text and in the files that it includes. `file` names the text in diagnostics and gives
/// the folder that includes start from. Without `files` an `include:` is an error.
ReadResult read_definitions(std::string_view text, const std::string& file, const KindCatalog& kinds,
                            const FileSource* files = nullptr, const DocumentLimits& limits = {});

/// Reads one definition from a value, as to_document (printer.h) makes it: from a store, from an API. Its places are
/// those that the value carries, if it does. `include` is kept and not followed.
ReadResult read_definition(const Value& document, const KindCatalog& kinds);

/// The fields that steps of every kind have, and the members of `retry`; what a kind has besides, its schema says.
std::span<const std::string_view> step_keys();
std::span<const std::string_view> retry_keys();

/// `path` as seen from the folder of `from`, without "." and ".." where they can be resolved.
std::string resolve_path(std::string_view from, std::string_view path);

}  // namespace mapflow::builder
