#include "cli/program.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <string>
#include <variant>
#include <vector>

#include "cli/arguments.h"
#include "cli/console.h"
#include "cli/verbs.h"

namespace mapflow::cli {

namespace {

/// A standard stream that was closed leaves its number to the next file that is opened, and what is meant for people
/// would be written into a store.
void open_standard_streams() {
  for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    if (fcntl(descriptor, F_GETFD) < 0 && errno == EBADF) open("/dev/null", O_RDWR);  // takes the lowest free number
}

}  // namespace

int run_program(int argc, char** argv) {
  open_standard_streams();
  std::signal(SIGPIPE, SIG_IGN);  // a reader that goes away is an error of write(), not the end of a workflow
  std::signal(SIGXFSZ, SIG_IGN);  // and so is a file that may not grow
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
