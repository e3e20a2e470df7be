#include "cli/version.h"

#include "cli/verbs.h"
#include "value/value.h"

namespace mapflow::cli {

std::string version_line() { return std::string("mapflow ") + MAPFLOW_VERSION; }

ExitCode execute(const VersionOptions& options, Console& console) {
  if (options.json) {
    console.document(object({{"version", MAPFLOW_VERSION}}));
  } else {
    console.out.line(version_line());
  }
  return ExitCode::success;
}

}  // namespace mapflow::cli
