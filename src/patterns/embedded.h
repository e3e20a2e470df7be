// The files of src/patterns/library, which the build makes a part of the program (tools/embed_files.py).
#pragma once

#include <span>
#include <string_view>

namespace mapflow::patterns {

struct EmbeddedFile {
  std::string_view path;  ///< below the library: "saga/workflow.yaml"
  std::string_view text;
};

/// By path.
std::span<const EmbeddedFile> embedded_files();

}  // namespace mapflow::patterns
