#include "cli/version.h"

#include "cli/verbs.h"
#include "mapflow/version.h"
#include "value/value.h"

namespace mapflow::cli {

std::string version_line() { return "mapflow " + std::string(version()); }

ExitCode execute(const VersionOptions& options, Console& console) {
  if (options.json) {
    console.document(object({{"version", version()}}));
  } else {
    console.out.line(version_line());
  }
  return ExitCode::success;
}

}  // namespace mapflow::cli
