#include <unistd.h>

#include "cli/files.h"
#include "cli/inputs.h"
#include "cli/jinja_repl.h"
#include "cli/template_error.h"
#include "cli/verbs.h"
#include "jinja/workflow.h"
#include "value/json.h"

namespace mapflow::cli {

namespace {

/// The language of workflows, or plain Jinja2's leniency with undefined names.
jinja::Environment make_environment(bool lenient) {
  return jinja::workflow_environment(lenient ? jinja::Undefined::lenient : jinja::Undefined::strict);
}

Result<Value> read_data(const std::string& path) { return path.empty() ? Result<Value>(Value(Object{})) : read_object(path); }

ExitCode refuse_template(Console& console, const Error& error) {
  print_template_error(console, error, true);
  return error.is(code::template_error) || error.is(code::resource_exhausted) ? ExitCode::failed : exit_code_of(error);
}

}  // namespace

ExitCode execute(const JinjaRenderOptions& options, Console& console) {
  const auto data = read_data(options.data_file);
  if (!data) return refuse(console, data.error(), false);
  const auto source = read_text(options.file);
  if (!source) return refuse(console, source.error(), false);
  const jinja::Environment environment = make_environment(options.lenient);
  const auto compiled = environment.compile(*source, {options.file, 1, 1});
  if (!compiled) return refuse_template(console, compiled.error());
  const auto text = compiled->render(jinja::ValueScope(*data));
  if (!text) return refuse_template(console, text.error());
  console.out.write(*text);
  if (console.out.terminal() && !text->ends_with('\n')) console.out.line();
  return ExitCode::success;
}

ExitCode execute(const JinjaEvalOptions& options, Console& console) {
  const auto data = read_data(options.data_file);
  if (!data) return refuse(console, data.error(), false);
  const jinja::Environment environment = make_environment(options.lenient);
  const auto compiled = environment.compile_expression(options.expression, {"expression", 1, 1});
  if (!compiled) return refuse_template(console, compiled.error());
  const auto value = compiled->evaluate(jinja::ValueScope(*data));
  if (!value) return refuse_template(console, value.error());
  console.document(*value);
  return ExitCode::success;
}

ExitCode execute(const JinjaReplOptions& options, Console& console) {
  const auto data = read_data(options.data_file);
  if (!data) return refuse(console, data.error(), false);
  JinjaRepl repl(make_environment(options.lenient), *data);
  if (isatty(STDIN_FILENO) != 1) return repl.run_script(console);
  return repl.run_interactively(console);
}

}  // namespace mapflow::cli
