#include "sim/people.h"

#include <map>
#include <stdexcept>
#include <string>
#include <utility>

#include "engine/async.h"

namespace mapflow::sim {

namespace {

Duration time_taken(const Surroundings& around) {
  Chance& chance = around.world.chance();
  if (around.manners.late && chance.percent(8)) return Duration(chance.between(100'000, 8'000'000));
  return Duration(chance.between(10, 20'000));
}

constexpr std::size_t kAtOnce = 2;
constexpr double kPerSecond = 20;
constexpr std::size_t kBurst = 3;

class ScriptedAgent final : public engine::Agent {
 public:
  ScriptedAgent(const Surroundings& around, std::string name)
      : around_(around), name_(std::move(name)), calls_(std::make_shared<Open>()) {}

  void call(Envelope envelope, engine::AgentDone done) override {
    around_.watcher.called(envelope);
    if (around_.limits != Bite::none) check_limits();
    if (name_ == kCallsBack) around_.left_open(envelope);
    auto reply = around_.script.reply(name_, envelope);
    calls_->insert_or_assign(envelope.id, std::move(done));
    tell_watcher(around_, name_, *calls_);
    if (reply) answer_later(std::move(envelope.id), *std::move(reply));
  }

  void cancel(std::string_view envelope_id) override {
    if (calls_->contains(std::string(envelope_id)))
      answer_later(std::string(envelope_id), fail(code::cancelled, "given up"));
  }

 private:
  using Open = std::map<std::string, engine::AgentDone>;

  /// A call that the gate let go reaches us a little later, and a node that stood still sends all such at once: their number
  /// is bounded by what may be under way.
  void check_limits() {
    if (name_ == "alpha" && calls_->size() >= kAtOnce)
      around_.watcher.problem("agent alpha is called while " + std::to_string(calls_->size()) + " calls are under way");
    if (name_ != "beta") return;
    const Timestamp now = around_.world.now();
    called_.push_back(now);
    for (std::size_t since = 0; since < called_.size(); ++since) {
      const double seconds = static_cast<double>((now - called_[since]).count()) / 1e6;
      if (static_cast<double>(called_.size() - since) > kSlack * kBurst + kPerSecond * seconds)
        return around_.watcher.problem("agent beta is called faster than it may be");
    }
  }

  static void tell_watcher(const Surroundings& around, std::string_view name, const Open& calls) {
    if (name == "alpha" && around.limits != Bite::none && around.manners.prompt)
      around.watcher.under_way(around.gone, calls.size(), kAtOnce);
  }

  void answer_later(std::string id, Result<Reply> reply) {
    around_.world.after(time_taken(around_), [around = around_, name = name_, calls = calls_, id = std::move(id), reply = std::move(reply)]() mutable {
      if (*around.gone) return;
      auto call = calls->extract(id);
      tell_watcher(around, name, *calls);
      if (!call.empty()) call.mapped()(std::move(reply));
    });
  }

  static constexpr double kSlack = 2;

  const Surroundings around_;
  const std::string name_;
  const std::shared_ptr<Open> calls_;  ///< by envelope id
  std::vector<Timestamp> called_;
};

class ScriptedAgents final : public engine::AgentFactory {
 public:
  explicit ScriptedAgents(const Surroundings& around) : around_(around) {}
  Result<std::unique_ptr<engine::Agent>> make(const AgentConfig& config, const engine::AgentContext&) override {
    return std::make_unique<ScriptedAgent>(around_, config.name);
  }
  std::vector<std::string> transports() const override { return {"scripted"}; }

 private:
  const Surroundings around_;
};

class LaterWorkers final : public engine::Workers {
 public:
  explicit LaterWorkers(const Surroundings& around) : around_(around) {}
  bool try_post(engine::Task& task) override {
    if (around_.manners.busy && around_.world.chance().percent(30)) return false;
    around_.world.after(time_taken(around_), [gone = around_.gone, task = std::move(task)]() mutable {
      if (!*gone) task();
    });
    return true;
  }

 private:
  const Surroundings around_;
};

/// How a handler fails: with an error that it returns, or that it throws.
Result<Value> failed(const Error& error) {
  if (error.is(code::handler_error)) throw std::runtime_error(error.message);
  return fail(error);
}

/// A handler that takes its time, says so, and perhaps falls silent.
Async<Result<Value>> take_time(Surroundings around, AsyncInput input) {
  around.watcher.called(input.envelope);
  const Answer answer = around.script.answer(input.envelope);
  for (std::int64_t beats = around.world.chance().between(0, 3); beats > 0; --beats) {
    if (beats % 2 == 0) input.heartbeat();
    else input.progress(Value(beats));
    co_await input.sleep(Duration(around.world.chance().between(1'000, 1'000'000)));
  }
  while (answer.silent() && !input.cancelled()) co_await input.sleep(std::chrono::seconds(20));
  if (answer.silent()) co_return fail(code::cancelled, "given up");
  if (answer.error) co_return failed(*answer.error);
  co_return *answer.value;
}

}  // namespace

std::shared_ptr<engine::AgentFactory> make_agents(const Surroundings& around) { return std::make_shared<ScriptedAgents>(around); }
std::shared_ptr<engine::Workers> make_workers(const Surroundings& around) { return std::make_shared<LaterWorkers>(around); }

std::shared_ptr<const engine::HandlerTable> make_handlers(const Surroundings& around) {
  auto table = std::make_shared<engine::HandlerTable>();
  const Handler scripted = [around](const StepInput& input) -> Result<Value> {
    const Envelope& envelope = input.envelope;
    around.watcher.called(envelope);
    const Answer answer = around.script.answer(envelope);
    if (answer.error) return failed(*answer.error);
    return answer.value.value_or(Value());
  };
  table->set("quick", scripted, HandlerMode::immediate);
  table->set("slow", scripted, HandlerMode::pooled);
  const AsyncHandler patient = [around](AsyncInput input) { return take_time(around, std::move(input)); };
  table->set("patient", engine::RegisteredHandler{.function = {}, .mode = HandlerMode::pooled, .coroutine = patient});
  return table;
}

std::vector<AgentConfig> configured_agents(Bite limits) {
  std::vector<AgentConfig> agents;
  for (const char* name : {"alpha", "beta", "gamma", "delta", "erin"}) {
    AgentConfig config;
    config.name = name;
    config.transport = "scripted";
    if (limits != Bite::none && config.name == "alpha") config.limits = object({{"max_concurrent", kAtOnce}});
    if (limits == Bite::fails && config.name == "alpha") config.limits.set("bulkhead", 1);
    if (limits == Bite::fails && config.name == "gamma")
      config.limits = object({{"circuit_breaker", object({{"failure_threshold", 2}, {"window", "10s"}, {"open_for", "2s"}})}});
    if (limits != Bite::none && config.name == "beta") config.limits = object({{"rate_limit", object({{"rate", kPerSecond}, {"burst", kBurst}})}});
    agents.push_back(std::move(config));
  }
  return agents;
}

namespace {

class OpenGate final : public engine::AgentGate {
 public:
  Entry enter(Priority, Later) override { return {1, Status{}}; }
  void leave(engine::Ticket) override {}
  void judge(engine::Ticket, engine::Verdict) override {}
  void end(engine::Ticket) override {}
  bool at_rest() const override { return true; }
};

}  // namespace

std::shared_ptr<engine::Gatekeeper> make_open_gates() {
  return std::make_shared<engine::Gatekeeper>([](const engine::GateName&, const AgentLimits&) { return std::make_shared<OpenGate>(); });
}

}  // namespace mapflow::sim
