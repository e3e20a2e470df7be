// The verbs, one function and one file each. Every verb says what it has to say to the console and gives the exit code;
// with `json` it prints exactly one JSON document on standard output, also when it fails.
#pragma once

#include "cli/console.h"
#include "cli/exit_code.h"
#include "cli/options.h"
#include "model/definition.h"
#include "value/value.h"

namespace mapflow::cli {

ExitCode execute(const RunOptions& options, Console& console);
/// Its mode dry_run: prints what would be done.
ExitCode dry_run(const RunOptions& options, const Definition& main, const Value& input, Console& console);
ExitCode execute(const ValidateOptions& options, Console& console);
ExitCode execute(const FmtOptions& options, Console& console);
ExitCode execute(const PatternsOptions& options, Console& console);
ExitCode execute(const NewOptions& options, Console& console);
ExitCode execute(const TestOptions& options, Console& console);
ExitCode execute(const SchemaOptions& options, Console& console);
ExitCode execute(const GraphOptions& options, Console& console);
ExitCode execute(const ShowOptions& options, Console& console);
ExitCode execute(const HistoryOptions& options, Console& console);
ExitCode execute(const ReplayOptions& options, Console& console);
ExitCode execute(const ListOptions& options, Console& console);
ExitCode execute(const ServeOptions& options, Console& console);
ExitCode execute(const StartVerbOptions& options, Console& console);
ExitCode execute(const RequestOptions& options, Console& console);
ExitCode execute(const RerunOptions& options, Console& console);
ExitCode execute(const InboxOptions& options, Console& console);
ExitCode execute(const WatchOptions& options, Console& console);
ExitCode execute(const ResultOptions& options, Console& console);
ExitCode execute(const JinjaRenderOptions& options, Console& console);
ExitCode execute(const JinjaEvalOptions& options, Console& console);
ExitCode execute(const JinjaReplOptions& options, Console& console);
ExitCode execute(const StoreVerifyOptions& options, Console& console);
ExitCode execute(const StoreToolOptions& options, Console& console);
ExitCode execute(const BenchSequentialOptions& options, Console& console);
ExitCode execute(const BenchStoreLimitOptions& options, Console& console);
ExitCode execute(const BenchLoopOptions& options, Console& console);
ExitCode execute(const BenchWaitingOptions& options, Console& console);
ExitCode execute(const BenchRecoveryOptions& options, Console& console);
ExitCode execute(const VersionOptions& options, Console& console);

}  // namespace mapflow::cli
