#include "agents/exec.h"

#include <fmt/format.h>

#include <cstring>

#include "agents/reply.h"
#include "agents/settings.h"
#include "value/json.h"

namespace mapflow::agents {

namespace {

/// What a person looks at first: the last line of stderr that says something.
std::string_view last_line(std::string_view text) {
  const std::size_t end = text.find_last_not_of(" \t\r\n");
  if (end == std::string_view::npos) return {};
  text = text.substr(0, end + 1);
  return text.substr(text.find_last_of('\n') + 1);
}

Error process_failure(std::string_view agent, const ProcessEnd& end) {
  Value details;
  std::string message;
  if (end.exit.signal != 0) {
    const char* name = ::sigabbrev_np(end.exit.signal);
    const std::string signal = name ? fmt::format("SIG{}", name) : fmt::format("signal {}", end.exit.signal);
    message = fmt::format("agent '{}' was killed by {}", agent, signal);
    details.set("signal", signal);
  } else {
    message = fmt::format("agent '{}' exited with status {}", agent, end.exit.status);
    details.set("exit_status", end.exit.status);
  }
  if (const auto line = last_line(end.error_tail); !line.empty()) message += fmt::format(": {}", excerpt(line, 300));
  if (!end.error_tail.empty()) details.set("stderr", end.error_tail);
  Error error(code::agent_error, std::move(message));
  error.details = to_json(details);
  return error;
}

Result<Reply> read_end(std::string_view agent, const ProcessEnd& end) {
  if (end.exit.signal != 0) return fail(process_failure(agent, end));
  if (end.exit.status == 0) return read_reply(agent, end.output);
  if (auto error = read_error(end.output)) return fail(*std::move(error));
  return fail(process_failure(agent, end));
}

class ExecAgent final : public engine::Agent {
 public:
  ExecAgent(std::string name, ProcessSpec spec, engine::AgentContext context, std::shared_ptr<CallThread> thread)
      : name_(std::move(name)),
        spec_(std::make_shared<const ProcessSpec>(std::move(spec))),
        context_(std::move(context)),
        thread_(std::move(thread)) {}
  ~ExecAgent() override { loop().stop(this); }

  void call(Envelope envelope, engine::AgentDone done) override {
    ProcessTask task{.owner = this, .agent = name_, .id = envelope.id, .done = std::move(done), .spec = spec_};
    task.input = [envelope = std::move(envelope)] { return to_json(to_value(envelope)) + "\n"; };
    task.max_output_bytes = context_.max_reply_bytes;
    if (context_.log)
      task.on_error_line = [log = context_.log, name = name_](std::string_view line) { log(name, line); };
    task.read = [name = name_](const ProcessEnd& end) { return read_end(name, end); };
    loop().run(std::move(task));
  }

  void cancel(std::string_view envelope_id) override { loop().cancel(this, envelope_id); }

 private:
  ProcessLoop& loop() const { return static_cast<ProcessLoop&>(thread_->loop()); }

  const std::string name_;
  const std::shared_ptr<const ProcessSpec> spec_;
  const engine::AgentContext context_;
  const std::shared_ptr<CallThread> thread_;
};

class ExecTransport final : public Transport {
 public:
  explicit ExecTransport(ProcessLimits limits) : limits_(limits) {}

  Result<std::unique_ptr<engine::Agent>> make(const AgentConfig& config, const engine::AgentContext& context) override {
    Settings settings(config);
    ProcessSpec spec;
    spec.command = settings.required_texts("command");
    const Settings::Pairs env = settings.text_pairs("env");
    const std::string cwd = settings.text("cwd", "");
    check(settings, spec.command, env, cwd);
    MAPFLOW_TRY(settings.finish());
    spec.environment = child_environment(env);
    spec.folder = cwd.empty() ? context.folder : context.folder / cwd;
    if (!thread_) {  // no thread for programs that never make such an agent
      MAPFLOW_ASSIGN(auto loop, ProcessLoop::make(limits_));
      MAPFLOW_ASSIGN(thread_, CallThread::start(std::move(loop), "mapflow-exec"));
    }
    return std::make_unique<ExecAgent>(config.name, std::move(spec), context, thread_);
  }

 private:
  /// A C string ends at its first zero byte: such a text would silently become another one.
  static void check(Settings& settings, const Settings::Texts& command, const Settings::Pairs& env,
                    std::string_view cwd) {
    const auto has_zero = [](std::string_view text) { return text.find('\0') != std::string_view::npos; };
    if (!command.empty() && command.front().empty()) settings.fault("command", "starts with an empty program name");
    for (const std::string& text : command)
      if (has_zero(text)) settings.fault("command", "has a text with a zero byte");
    for (const auto& [name, value] : env) {
      if (name.empty() || name.find('=') != std::string::npos || has_zero(name))
        settings.fault("env", fmt::format("has '{}', which is no name of an environment variable", name));
      if (has_zero(value)) settings.fault(fmt::format("env.{}", name), "has a zero byte");
    }
    if (has_zero(cwd)) settings.fault("cwd", "has a zero byte");
  }

  const ProcessLimits limits_;
  std::shared_ptr<CallThread> thread_;
};

}  // namespace

std::unique_ptr<Transport> make_exec_transport() { return make_exec_transport(ProcessLimits{}); }

std::unique_ptr<Transport> make_exec_transport(ProcessLimits limits) { return std::make_unique<ExecTransport>(limits); }

}  // namespace mapflow::agents
