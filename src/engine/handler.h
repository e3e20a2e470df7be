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

/// What a handler of a `custom` step is given.
struct StepInput {
  Envelope envelope;   ///< `data` is the step's rendered input
  const Value& input() const { return envelope.data; }
  std::function<bool()> cancelled;   ///< true once nobody waits for the answer any more; a long handler asks now and then
};
/// Runs on the bounded worker pool, so it may block. What it throws becomes a handler_error.
using Handler = std::function<Result<Value>(const StepInput&)>;

enum class HandlerMode : std::uint8_t {
  pooled,     ///< on the worker pool
  immediate,  ///< on the shard's own thread: only for handlers that never block and take microseconds
};

namespace engine {

struct RegisteredHandler {
  Handler function;
  HandlerMode mode = HandlerMode::pooled;
};

/// Handlers by name. Filled before anything runs, then only read.
class HandlerTable {
 public:
  void set(std::string name, Handler function, HandlerMode mode) {
    handlers_.insert_or_assign(std::move(name),
                               std::make_shared<const RegisteredHandler>(RegisteredHandler{std::move(function), mode}));
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

/// Calls the handler and turns what it throws into a handler_error.
Result<Reply> run_handler(const Handler& handler, const StepInput& input);

}  // namespace engine
}  // namespace mapflow
