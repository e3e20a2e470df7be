// What a command line asks for, as plain structs: one per verb. arguments.h makes them, the verbs (verbs.h) read them.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace mapflow::cli {

inline constexpr const char* kDefaultStore = "sqlite:mapflow.db";

enum class RunMode : std::uint8_t { normal, debug, dry_run };

struct RunOptions {
  std::string file;
  std::vector<std::string> inputs;   ///< "key=value", in the order given
  std::string input_file;            ///< path, "-" for standard input, or empty
  std::string id;
  std::vector<std::string> with;     ///< further definition files and folders
  std::string secrets_file;
  std::string store = kDefaultStore;
  RunMode mode = RunMode::normal;
  std::vector<std::string> breakpoints;  ///< ids of steps, in mode debug
  bool json = false;
  bool watch = false;
};

struct ValidateOptions {
  std::vector<std::string> files;
  std::vector<std::string> with;
  bool json = false;
};

struct FmtOptions {
  std::vector<std::string> files;
  bool check = false;      ///< change nothing, only say which files are not in the canonical spelling
  bool to_stdout = false;
};

/// Workflow tests.
struct TestOptions {
  std::vector<std::string> files;    ///< files of tests, and folders of them
  std::string junit_file;            ///< empty: none
  std::uint64_t seed = 0;            ///< of faults, instead of the tests' own; 0: theirs
  bool tap = false;
  bool coverage = false;             ///< tells what was not reached
  std::uint32_t min_coverage = 0;    ///< percent of steps and branches that must be reached
  bool watch = false;                ///< again whenever a file changes
  bool json = false;
};

struct PatternsOptions {
  std::string pattern;               ///< empty: all of them
  bool json = false;
};

/// Begins a project with a pattern.
struct NewOptions {
  std::string pattern;
  std::string folder;                ///< empty: this one
  std::vector<std::string> settings; ///< "name=value"
};

struct SchemaOptions {};

struct GraphOptions {
  std::string file;
  std::string as = "mermaid";        ///< or "dot", "svg"
  std::string instance;              ///< draw this one, coloured by state, instead of a file
  std::string store = kDefaultStore;
};

struct ShowOptions {
  std::string id;
  std::string store = kDefaultStore;
  bool json = false;
};

struct HistoryOptions {
  std::string id;
  std::string store = kDefaultStore;
  bool json = false;
};

struct ReplayOptions {
  std::string id;
  std::string file;                ///< the definition to compare; empty: the instance's own
  std::vector<std::string> with;
  std::string store = kDefaultStore;
  bool json = false;
};

struct ListOptions {
  std::string workflow, state, tag, text;  ///< empty: any
  std::size_t limit = 100;
  std::string store = kDefaultStore;
  bool json = false;
};

/// One node of a store.
struct ServeOptions {
  std::string listen = "127.0.0.1:7700";
  bool allow_remote = false;
  std::string node;                     ///< empty: made of the host's name and the process
  std::vector<std::string> workflows;   ///< definition files and folders
  std::string secrets_file;
  std::string retention;                ///< how long instances that are over are kept; empty: for good
  std::string store = kDefaultStore;
};

/// Accepts an instance without running it.
struct StartVerbOptions {
  std::string file;
  std::vector<std::string> inputs;
  std::string input_file;
  std::string id;
  std::string correlation_id;
  std::vector<std::string> tags;
  std::vector<std::string> with;
  double timeout_seconds = 30;
  std::string store = kDefaultStore;
  bool json = false;
};

/// Something that is asked of an instance.
struct RequestOptions {
  enum class What : std::uint8_t { pause, resume, cancel, terminate, signal, retry, skip, update, rewind, answer };
  What what = What::pause;
  std::string id;                    ///< the instance; for an answer: the token of the call
  std::string name;                  ///< of the signal, the step, or the checkpoint
  std::string before;                ///< rewind: the step to go back to before
  std::string reason;
  std::string payload;               ///< JSON if it parses as JSON, else text
  std::vector<std::string> inputs;   ///< "key=value": members of the payload
  std::string input_file;            ///< the payload as JSON
  std::vector<std::string> budget;   ///< update: "tokens=200000" …
  std::string error;                 ///< answer: what went wrong, instead of a payload
  std::string key;                   ///< under which it is carried out once; empty: a new one
  double timeout_seconds = 30;       ///< to wait for whoever runs the instance
  std::string store = kDefaultStore;
  bool json = false;
};

/// Accepts another instance like one that was.
struct RerunOptions {
  std::string id;
  std::string new_id;                ///< empty: one is made up
  double timeout_seconds = 30;
  std::string store = kDefaultStore;
  bool json = false;
};

struct InboxOptions {
  std::string workflow;              ///< empty: any
  std::size_t limit = 100;
  std::string store = kDefaultStore;
  bool json = false;
};

struct WatchOptions {
  std::string id;
  bool from_now = false;             ///< leaves out what happened before
  std::string store = kDefaultStore;
  bool json = false;
};

struct ResultOptions {
  std::string id;
  bool wait = false;
  double timeout_seconds = 0;        ///< 0: as long as it takes
  std::string store = kDefaultStore;
  bool json = false;
};

struct JinjaRenderOptions {
  std::string file;                  ///< path, or "-" for standard input
  std::string data_file;             ///< JSON, "-" for standard input, or empty
  bool lenient = false;
};

struct JinjaEvalOptions {
  std::string expression;
  std::string data_file;
  bool lenient = false;
};

struct JinjaReplOptions {
  std::string data_file;
  bool lenient = false;
};

struct StoreVerifyOptions {
  std::string store = kDefaultStore;
  bool json = false;
};

struct StoreToolOptions {
  enum class What : std::uint8_t { stats, migrate, gc, archive, export_all, import_all };
  What what = What::stats;
  std::string file;                  ///< of an export or import
  std::string older_than;            ///< of gc and archive: a duration
  std::string store = kDefaultStore;
  bool json = false;
};

/// How much work a benchmark is given.
struct BenchLoad {
  std::uint32_t steps = 10;          ///< per workflow
  std::uint32_t workflows = 20000;
  std::uint32_t concurrency = 1000;  ///< workflows running at once
  std::uint32_t shards = 0;          ///< 0: as the engine chooses
};

struct BenchSequentialOptions {
  BenchLoad load;
  std::string store = "memory:";
  bool json = false;
};

struct BenchStoreLimitOptions {
  BenchLoad load;
  std::string store;
  bool json = false;
};

struct BenchLoopOptions {
  std::uint32_t iterations = 1'000'000;
  std::uint32_t window = 64;         ///< iterations at once
  std::string store = "memory:";
  bool json = false;
};

struct BenchWaitingOptions {
  std::uint32_t instances = 100'000;
  std::uint32_t memory_mib = 32;     ///< for the states of instances
  std::string store = "memory:";
  bool json = false;
};

struct BenchRecoveryOptions {
  std::uint32_t instances = 100'000;
  std::uint32_t timer_seconds = 60;  ///< from the first start to the first timer
  std::string store;
  bool json = false;
};

struct VersionOptions {
  bool json = false;
};

using Command = std::variant<RunOptions, ValidateOptions, FmtOptions, TestOptions, PatternsOptions, NewOptions, SchemaOptions, GraphOptions, ShowOptions, HistoryOptions, ReplayOptions, ListOptions,
                             ServeOptions, StartVerbOptions, RequestOptions, RerunOptions, InboxOptions, WatchOptions, ResultOptions,
                             JinjaRenderOptions, JinjaEvalOptions, JinjaReplOptions, StoreVerifyOptions, StoreToolOptions, BenchSequentialOptions,
                             BenchStoreLimitOptions, BenchLoopOptions, BenchWaitingOptions, BenchRecoveryOptions, VersionOptions>;

}  // namespace mapflow::cli
