#include "engine/async_call.h"

#include <utility>

namespace mapflow::engine {

void AsyncCall::begin(const AsyncHandler& handler, StepInput input) {
  AsyncInput given{std::move(input), [self = weak_from_this()](Duration span, std::coroutine_handle<> sleeper) {
                     if (const auto call = self.lock()) call->park(span, sleeper);
                   }};
  const Result<Reply> made = guarded([&]() -> Result<Value> {
    body_.emplace(handler(std::move(given)));
    return Value();
  });
  made ? go_on(body_->handle()) : done_(fail(made.error()));
}

void AsyncCall::go_on(std::coroutine_handle<> where) {
  const auto self = shared_from_this();  // another thread may end it while this one is on its way out
  bool parked = false;
  parked_ = &parked;
  where.resume();
  if (!parked) end();
}

void AsyncCall::park(Duration span, std::coroutine_handle<> sleeper) {
  *parked_ = true;
  later_(span, [call = shared_from_this(), sleeper] { call->go_on(sleeper); });
}

void AsyncCall::end() {
  done_(guarded([this]() -> Result<Value> { return body_->take(); }));
}

}  // namespace mapflow::engine
