#include "engine/engine.h"

#include <future>
#include <utility>

#include "engine/node.h"

namespace mapflow {

// --- Run --------------------------------------------------------------------------------------------------------------

Result<Value> Run::wait(std::optional<Duration> limit) const { return node_->wait(id_, limit); }
Result<Value> Run::document() const { return node_->document(id_); }
Status Run::pause(std::string reason) const { return node_->tell(id_, kernel::Pause{std::move(reason)}); }
Status Run::resume() const { return node_->tell(id_, kernel::Resume{}); }
Status Run::cancel(std::string reason) const { return node_->tell(id_, kernel::Cancel{std::move(reason)}); }
Status Run::terminate(std::string reason) const { return node_->tell(id_, kernel::Terminate{std::move(reason)}); }
Status Run::signal(std::string name, Value payload) const {
  return node_->tell(id_, kernel::Signal{std::move(name), std::move(payload)});
}
Status Run::retry(std::string step) const { return node_->tell(id_, kernel::Retry{std::move(step)}); }
Status Run::skip(std::string step, Value result) const {
  return node_->tell(id_, kernel::Skip{std::move(step), std::move(result)});
}
Status Run::change_budget(Budget budget) const { return node_->tell(id_, kernel::Update{{}, budget}); }
Status Run::update(Value variables) const { return node_->tell(id_, kernel::Update{std::move(variables)}); }
Status Run::debug(std::vector<std::string> breakpoints) const { return node_->tell(id_, kernel::Debug{true, std::move(breakpoints)}); }
Status Run::step() const { return node_->tell(id_, kernel::StepOnce{}); }
Status Run::checkpoint(std::string name) const { return node_->tell(id_, kernel::MakeCheckpoint{std::move(name)}); }
Status Run::rewind(kernel::Place place) const { return node_->tell(id_, kernel::Rewind{std::move(place), false, nullptr}); }
Result<Run> Run::rerun(std::string id) const {
  const auto started = std::make_shared<std::promise<Result<Run>>>();
  auto run = started->get_future();
  node_->rerun(id_, std::move(id), [node = node_, started](Result<engine::Node::Started> result) {
    started->set_value(result ? Result<Run>(Run(*node, std::move(result->id), result->existed)) : fail(std::move(result).error()));
  });
  return run.get();
}
Status Run::complete(std::string token, Result<Value> answer) const {
  Result<Reply> outcome = answer ? Result<Reply>(Reply{*std::move(answer), {}}) : fail(std::move(answer).error());
  return node_->tell(id_, kernel::Complete{std::move(token), std::move(outcome)});
}
Result<kernel::Progress> Run::progress() const {
  MAPFLOW_ASSIGN(const Value shown, node_->document(id_));
  const Value* const done = shown.find("progress");
  if (!done) return fail(code::internal, "an instance without progress");
  return kernel::Progress{.completed = static_cast<std::uint64_t>(done->find("completed")->as_integer()),
                          .total = static_cast<std::uint64_t>(done->find("total")->as_integer()),
                          .fraction = done->find("fraction")->as_double()};
}
void Run::on_event(std::function<void(const kernel::Event&)> handler) const {
  node_->on_event_of(id_, std::move(handler));
}
void Run::on_end(std::function<void(Result<Value>)> ended) const { node_->watch(id_, std::move(ended)); }

// --- Engine -----------------------------------------------------------------------------------------------------------

Engine::Engine(EngineOptions options) : node_(std::make_unique<engine::Node>(std::move(options))) {}
Engine::~Engine() = default;

Status Engine::status() const { return node_->status(); }
void Engine::handler(std::string name, Handler function, HandlerMode mode) {
  node_->handler(std::move(name), std::move(function), mode);
}
void Engine::coroutine(std::string name, AsyncHandler function) { node_->coroutine(std::move(name), std::move(function)); }
Status Engine::retry_policy(std::string name, RetryFunction function) {
  return node_->retry_policy(std::move(name), std::move(function));
}
Status Engine::add_kind(std::unique_ptr<const kernel::StepKind> kind) { return node_->add_kind(std::move(kind)); }
const KindCatalog& Engine::kinds() const { return node_->kinds(); }
Result<std::string> Engine::add(Definition definition) { return node_->add(std::move(definition)); }
Status Engine::serve() { return node_->begin(); }
void Engine::on_event(EventHandler handler) { node_->on_event(std::move(handler)); }
void Engine::on_step(std::string workflow, std::string step, StepCallbacks callbacks) {
  node_->on_event([workflow = std::move(workflow), step = std::move(step),
                   callbacks = std::move(callbacks)](const std::string& instance, const kernel::Event& event) {
    if (event.step != step || event.workflow != workflow) return;
    const bool failed = event.type == "step.failed" || event.type == "step.timed_out";
    if (event.type == "step.completed" && callbacks.on_success) callbacks.on_success(instance, event);
    if (failed && callbacks.on_failure) callbacks.on_failure(instance, event);
  });
}
engine::Load Engine::load() const { return node_->load(); }
persistence::Store& Engine::store() { return node_->store(); }

void Engine::start_async(std::string_view workflow, StartOptions options, std::function<void(Result<Run>)> answered) {
  node_->start(workflow, std::move(options),
               [node = node_.get(), answered = std::move(answered)](Result<engine::Node::Started> started) {
                 if (!started) return answered(fail(std::move(started).error()));
                 answered(Run(*node, std::move(started->id), started->existed));
               });
}

Result<Run> Engine::start(std::string_view workflow, StartOptions options) {
  const auto started = std::make_shared<std::promise<Result<Run>>>();
  auto run = started->get_future();
  start_async(workflow, std::move(options), [started](Result<Run> result) { started->set_value(std::move(result)); });
  return run.get();
}

Result<Run> Engine::attach(std::string_view id) {
  std::string name(id);
  MAPFLOW_TRY(node_->attach(name));
  return Run(*node_, std::move(name), true);
}

}  // namespace mapflow
