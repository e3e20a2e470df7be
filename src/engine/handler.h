// Functions of the embedding program that `custom` steps call by name.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/error.h"
#include "model/message.h"
#include "value/value.h"

namespace mapflow {

/// What a handler of a `custom` step is given. Its functions may be called from any thread while the handler runs.
struct StepInput {
  Envelope envelope;   ///< `data` is the step's rendered input
  const Value& input() const { return envelope.data; }
  std::function<bool()> cancelled;   ///< true once nobody waits for the answer any more; a long handler asks now and then
  /// Says that the handler is at work. An attempt of a step with `heartbeat` fails with `timeout` when nothing was heard
  /// for so long.
  std::function<void()> heartbeat = [] {};
  /// Tells how far it is: an event `step.progress` that carries this value. It is not kept. A heartbeat, too.
  std::function<void(Value)> progress = [](const Value&) {};
};
/// Runs on the bounded worker pool, so it may block. What it throws becomes a handler_error.
using Handler = std::function<Result<Value>(const StepInput&)>;

enum class HandlerMode : std::uint8_t {
  pooled,     ///< on the worker pool
  immediate,  ///< on the shard's own thread: only for handlers that never block and take microseconds
};

/// What a handler that is a coroutine is: see engine/async.h.
struct AsyncInput;
template <class T>
class Async;
using AsyncHandler = std::function<Async<Result<Value>>(AsyncInput)>;

namespace engine {

struct RegisteredHandler {
  Handler function;        ///< empty: a coroutine
  HandlerMode mode = HandlerMode::pooled;
  AsyncHandler coroutine{};
};

/// Handlers by name. Filled before anything runs, then only read.
class HandlerTable {
 public:
  void set(std::string name, Handler function, HandlerMode mode) { set(std::move(name), RegisteredHandler{std::move(function), mode}); }
  void set(std::string name, RegisteredHandler handler) {
    handlers_.insert_or_assign(std::move(name), std::make_shared<const RegisteredHandler>(std::move(handler)));
  }
  /// nullptr when there is none.
  const std::shared_ptr<const RegisteredHandler>* find(std::string_view name) const {
    const auto found = handlers_.find(name);
    return found == handlers_.end() ? nullptr : &found->second;
  }

 private:
  struct Hash : std::hash<std::string_view> {
    using is_transparent = void;
  };
  std::unordered_map<std::string, std::shared_ptr<const RegisteredHandler>, Hash, std::equal_to<>> handlers_;
};

/// Runs code of the embedding program and turns what it throws into a handler_error.
Result<Reply> guarded(const std::function<Result<Value>()>& body);
inline Result<Reply> run_handler(const Handler& handler, const StepInput& input) {
  return guarded([&] { return handler(input); });
}

}  // namespace engine
}  // namespace mapflow
