#include "engine/handler.h"

#include <exception>
#include <utility>

namespace mapflow::engine {

Result<Reply> guarded(const std::function<Result<Value>()>& body) {
  try {
    Result<Value> value = body();
    if (!value) return fail(std::move(value).error());
    return Reply{*std::move(value), std::nullopt};
  } catch (const std::exception& thrown) {
    return fail(code::handler_error, thrown.what());
  } catch (...) {
    return fail(code::handler_error, "the handler threw something that is no std::exception");
  }
}

}  // namespace mapflow::engine
