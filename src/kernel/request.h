// What a step asks of somebody else.
#pragma once

#include <cstdint>
#include <optional>

#include "base/time.h"
#include "model/message.h"
#include "value/value.h"

namespace mapflow::kernel {

/// What becomes of a child instance whose parent ends, or gives up the step that started it.
enum class ParentClose : std::uint8_t { cancel, abandon, wait };

/// Recorded with the first call of an execution; every further attempt and delivery of it asks the same.
struct Request {
  enum class Kind : std::uint8_t { agent, handler, workflow } kind = Kind::agent;
  Text target;                         ///< the agent's or handler's name, the workflow's id
  Text action;
  Value data;
  Value headers;                       ///< an object, or null
  Priority priority = Priority::medium;
  bool reply = true;                   ///< false: the step is done once the request is on its way
  std::optional<Duration> heartbeat;   ///< the handler says that it is at work at least so often
  Text version;                        ///< of the workflow; empty: any
  ParentClose on_parent_close = ParentClose::cancel;  ///< of the workflow's instance
  template <class A> void fields(A& a) {
    a("kind", kind); a("target", target); a("action", action); a("data", data); a("headers", headers);
    a("priority", priority); a("reply", reply); a("heartbeat", heartbeat); a("version", version);
    a("on_parent_close", on_parent_close);
  }
};

/// As people see it: an object {kind, target, action, data, headers, priority, reply, heartbeat_us, version,
/// on_parent_close}. What is empty or by default is left out.
Value to_value(const Request& request);
/// Reads it back; what does not fit is ignored. This was the form in which requests were recorded at first.
Request request_from_value(const Value& value);

}  // namespace mapflow::kernel
