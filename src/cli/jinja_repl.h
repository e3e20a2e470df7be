// An interactive calculator for templates and expressions.
//
//   >>> order.lines | map(attribute='price') | sum
//   42.5
//   >>> Dear {{ name | title }},
//   Dear Ann,
//   >>> :set total = order.lines | length
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "cli/console.h"
#include "cli/exit_code.h"
#include "jinja/jinja.h"
#include "value/value.h"

namespace mapflow::cli {

class JinjaRepl {
 public:
  /// `data`: an object whose members are the names that templates see.
  JinjaRepl(jinja::Environment environment, Value data) : environment_(std::move(environment)), data_(std::move(data)) {}

  /// With line editing, history and completion, until the end of input or `:quit`.
  ExitCode run_interactively(Console& console);
  /// Lines from standard input, answers only; `failed` when a line was wrong.
  ExitCode run_script(Console& console);

  /// What a line comes to: a value as JSON, rendered text, or what a `:command` says. Errors: template_error,
  /// invalid_input.
  Result<std::string> answer(std::string_view line);
  /// Names that may stand where `line` ends: variables and members, filters behind `|`, tests behind `is`, commands.
  std::vector<std::string> completions(std::string_view line) const;

 private:
  Result<std::string> command(std::string_view line);
  Result<Value> evaluate(std::string_view expression) const;

  jinja::Environment environment_;
  Value data_;
};

}  // namespace mapflow::cli
