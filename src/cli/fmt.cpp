#include "builder/formatter.h"
#include "builder/render.h"
#include "cli/files.h"
#include "cli/text.h"
#include "cli/verbs.h"
#include "cli/wire.h"

namespace mapflow::cli {

ExitCode execute(const FmtOptions& options, Console& console) {
  const auto kinds = step_kinds();
  ExitCode exit = ExitCode::success;
  for (const std::string& file : options.files) {
    const auto text = read_text(file);
    if (!text) {
      exit = refuse(console, text.error(), false);
      continue;
    }
    const builder::FormatResult formatted = builder::format_text(*text, file, *kinds);
    if (has_errors(formatted.diagnostics)) {
      console.err.write(builder::render(formatted.diagnostics, [&](const std::string&) { return std::string_view(*text); }));
      exit = ExitCode::usage;
    } else if (options.to_stdout || file == "-") {
      console.out.write(formatted.text);
    } else if (formatted.text != *text && options.check) {
      console.out.line(printable(file) + ": not in the canonical spelling");
      if (exit == ExitCode::success) exit = ExitCode::failed;
    } else if (formatted.text != *text) {
      if (const Status written = write_text(file, formatted.text); !written) exit = refuse(console, written.error(), false);
      else console.out.line(printable(file) + ": rewritten");
    }
  }
  return exit;
}

}  // namespace mapflow::cli
