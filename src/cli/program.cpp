#include "cli/program.h"

#include <algorithm>
#include <csignal>
#include <string>
#include <variant>
#include <vector>

#include "cli/arguments.h"
#include "cli/console.h"
#include "cli/verbs.h"

namespace mapflow::cli {

int run_program(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);  // a reader that goes away is an error of write(), not the end of a workflow
  Console console;
  const std::vector<std::string> words(argv + (argc > 0 ? 1 : 0), argv + argc);
  const Parsed parsed = parse_arguments(words);
  if (const auto* help = std::get_if<Help>(&parsed)) {
    console.out.write(help->text);
    return static_cast<int>(ExitCode::success);
  }
  if (const auto* wrong = std::get_if<UsageError>(&parsed)) {
    const bool json = std::ranges::find(words, "--json") != words.end();
    console.error(Error(code::invalid_input, wrong->message, wrong->hint), json);
    return static_cast<int>(ExitCode::usage);
  }
  const auto verb = [&console](const auto& options) { return execute(options, console); };
  return static_cast<int>(std::visit(verb, std::get<Command>(parsed)));
}

}  // namespace mapflow::cli
