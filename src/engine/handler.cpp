#include "engine/handler.h"

#include <exception>
#include <utility>

namespace mapflow::engine {

Result<Reply> run_handler(const Handler& handler, const StepInput& input) {
  try {
    Result<Value> value = handler(input);
    if (!value) return fail(std::move(value).error());
    return Reply{*std::move(value), std::nullopt};
  } catch (const std::exception& thrown) {
    return fail(code::handler_error, thrown.what());
  } catch (...) {
    return fail(code::handler_error, "the handler threw something that is no std::exception");
  }
}

}  // namespace mapflow::engine
