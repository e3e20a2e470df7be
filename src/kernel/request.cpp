#include "kernel/request.h"

#include <array>
#include <string_view>

namespace mapflow::kernel {

namespace {

constexpr std::array<std::string_view, 3> kKinds{"agent", "handler", "workflow"};
constexpr std::array<std::string_view, 3> kCloses{"cancel", "abandon", "wait"};

template <class Enum, std::size_t size>
void read_choice(const Value* member, const std::array<std::string_view, size>& names, Enum& into) {
  if (!member || !member->is_text()) return;
  for (std::size_t i = 0; i < size; ++i)
    if (names[i] == member->as_text()) into = static_cast<Enum>(i);
}

void read_text(const Value* member, Text& into) {
  if (member && member->is_text()) into = member->shared_text();
}

}  // namespace

Value to_value(const Request& request) {
  Object out;
  if (!request.action.empty()) out.set("action", request.action);
  if (!request.data.is_null()) out.set("data", request.data);
  if (!request.headers.is_null()) out.set("headers", request.headers);
  if (request.priority != Priority::medium) out.set("priority", to_string(request.priority));
  if (!request.reply) out.set("reply", false);
  if (request.heartbeat) out.set("heartbeat_us", request.heartbeat->count());
  if (!request.version.empty()) out.set("version", request.version);
  if (request.kind == Request::Kind::workflow) out.set("on_parent_close", kCloses.at(static_cast<std::size_t>(request.on_parent_close)));
  out.set("kind", kKinds.at(static_cast<std::size_t>(request.kind)));
  out.set("target", request.target);
  return Value(std::move(out));
}

Request request_from_value(const Value& value) {
  Request request;
  read_choice(value.find("kind"), kKinds, request.kind);
  read_text(value.find("target"), request.target);
  read_text(value.find("action"), request.action);
  if (const Value* data = value.find("data")) request.data = *data;
  if (const Value* headers = value.find("headers")) request.headers = *headers;
  if (const Value* priority = value.find("priority"); priority && priority->is_text())
    request.priority = parse_priority(priority->as_text()).value_or(Priority::medium);
  if (const Value* reply = value.find("reply"); reply && reply->is_bool()) request.reply = reply->as_bool();
  if (const Value* heartbeat = value.find("heartbeat_us"); heartbeat && heartbeat->is_integer())
    request.heartbeat = Duration(heartbeat->as_integer());
  read_text(value.find("version"), request.version);
  read_choice(value.find("on_parent_close"), kCloses, request.on_parent_close);
  return request;
}

}  // namespace mapflow::kernel
