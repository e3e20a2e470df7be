// Definitions from files: read, checked, and what is wrong with them shown like a compiler does.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "cli/console.h"
#include "model/definition.h"
#include "model/diagnostic.h"
#include "model/kind_schema.h"

namespace mapflow::cli {

struct LoadedDefinitions {
  std::vector<Definition> definitions;         ///< the first one is the file's main one
  Diagnostics diagnostics;
  std::map<std::string, std::string> sources;  ///< texts by file, to show the lines that diagnostics point at

  bool sound() const { return !has_errors(diagnostics); }
};

/// Reads `file`, unless it is empty, with everything it includes, and the files and folders of `with`, and validates all of it together.
/// They may call the workflows named `elsewhere` as well. What cannot be read is a diagnostic too. The files of the definitions are
/// absolute paths.
LoadedDefinitions load_definitions(const std::string& file, const std::vector<std::string>& with, const KindCatalog& kinds,
                                   const std::vector<std::string>& elsewhere = {});

/// Each diagnostic with its line and a caret, and at the end how many there are.
void print_diagnostics(Stream& stream, const LoadedDefinitions& loaded);

}  // namespace mapflow::cli
