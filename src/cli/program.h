// The whole program behind main().
#pragma once

namespace mapflow::cli {

/// Does what the command line asks for and gives the exit status.
int run_program(int argc, char** argv);

}  // namespace mapflow::cli
