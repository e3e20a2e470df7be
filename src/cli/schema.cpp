#include "builder/json_schema.h"
#include "cli/verbs.h"
#include "cli/wire.h"
#include "value/json.h"

namespace mapflow::cli {

ExitCode execute(const SchemaOptions&, Console& console) {
  console.out.line(to_json_pretty(builder::json_schema(*step_kinds())));
  return ExitCode::success;
}

}  // namespace mapflow::cli
