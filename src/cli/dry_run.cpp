// `run --mode dry-run`: what would be done, and nothing of it.
#include "builder/plan.h"
#include "cli/definitions.h"
#include "cli/text.h"
#include "cli/verbs.h"
#include "cli/wire.h"
#include "engine/engine.h"
#include "jinja/workflow.h"
#include "kernel/program.h"
#include "value/json.h"

namespace mapflow::cli {

namespace {

/// Writes a plan for people, a line per fact.
class PlanPrinter {
 public:
  explicit PlanPrinter(Stream& out) : out_(out) {}

  void steps(const Value& steps, std::size_t depth) {
    for (const Value& step : steps.as_array()) {
      line(depth, out_.paint(Color::bold, text(step, "id")) + "  " + text(step, "type") + (step.find("skipped") ? "  (skipped)" : ""));
      fact(step, "when", depth);
      if (const Value* fields = step.find("fields"))
        for (const auto& [name, value] : fields->as_object()) line(depth + 1, std::string(name.view()) + ": " + printable(written(value)));
      for (const char* name : {"retry", "timeout", "total_timeout", "needs", "problems"}) fact(step, name, depth);
      if (const Value* blocks = step.find("blocks"))
        for (const Value& block : blocks->as_array()) this->block(block, depth + 1);
    }
  }

 private:
  void block(const Value& block, std::size_t depth) {
    std::string head = text(block, "role");
    if (block.find("name")) head += " " + text(block, "name");
    if (const Value* when = block.find("when")) head += " when " + written(*when);
    if (const Value* taken = block.find("taken")) head += *taken == Value(true) ? "  (taken)" : "  (not taken)";
    line(depth, head + ":");
    steps(*block.find("steps"), depth + 1);
  }

  void fact(const Value& step, const char* name, std::size_t depth) {
    if (const Value* value = step.find(name)) line(depth + 1, std::string(name) + ": " + printable(written(*value)));
  }

  static std::string text(const Value& document, const char* name) { return printable(document.find(name)->as_text()); }
  static std::string written(const Value& value) { return value.is_text() ? std::string(value.as_text()) : to_json(value); }
  void line(std::size_t depth, const std::string& what) { out_.line(std::string(2 * depth, ' ') + what); }

  Stream& out_;
};

}  // namespace

ExitCode dry_run(const RunOptions& options, const Definition& main, const Value& input, Console& console) {
  const auto kinds = step_kinds();
  const jinja::Environment environment = jinja::workflow_environment();
  const auto program = kernel::compile(main, "", *kinds, environment);
  if (!program) return refuse(console, program.error(), options.json);
  if (const Status fits = (*program)->check_input(input); !fits) return refuse(console, fits.error(), options.json);
  const Value plan = builder::plan(main, *kinds, (*program)->first_variables(input));
  if (options.json) {
    console.document(plan);
    return ExitCode::success;
  }
  console.out.line("what '" + printable(main.id) + "' would do; nobody was called");
  PlanPrinter(console.out).steps(*plan.find("steps"), 1);
  return ExitCode::success;
}

}  // namespace mapflow::cli
