#include "cli/program.h"

int main(int argc, char** argv) { return mapflow::cli::run_program(argc, argv); }
