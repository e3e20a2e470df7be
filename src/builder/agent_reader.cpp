// One entry of `agents:`: a transport with its settings, and the limits that the engine keeps for it.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "builder/reading.h"
#include "model/limits.h"

namespace mapflow::builder {

namespace {

constexpr std::array<std::string_view, 8> kTransports{"exec", "http", "queue", "human", "chat", "mcp", "a2a", "handler"};
constexpr std::array<std::string_view, 5> kLimits{"rate_limit", "max_concurrent", "circuit_breaker", "bulkhead", "key"};
constexpr std::int64_t kMost = 1'000'000'000;

bool contains(std::span<const std::string_view> names, std::string_view name) { return std::ranges::find(names, name) != names.end(); }

void check_rate(Reading& reading, Node node) {
  static constexpr std::array<std::string_view, 3> kKeys{"rate", "per", "burst"};
  constexpr std::string_view kForms = "write 50/s, 100/m, or {rate, per, burst}";
  if (!node.is_map()) {
    if (!node.is_text() || !parse_rate(node.text()))
      reading.error(mf::bad_rate, node.mark(), fmt::format("'rate_limit' must be a rate, not {}", node.is_text() ? "'" + std::string(node.text()) + "'" : std::string(node.kind_name())), std::string(kForms));
    return;
  }
  for (const Node member : node.children()) {
    if (!contains(kKeys, member.key())) reading.unknown_key(member, "rate_limit", kKeys);
    else if (member.key() == "rate") reading.number(member, "rate", 1e-6, 1e9);
    else if (member.key() == "per") reading.duration(member, "per");
    else reading.integer(member, "burst", 1, kMost);
  }
  if (!node.find("rate")) reading.error(mf::missing, node.mark(), "a rate limit needs 'rate'", std::string(kForms));
}

void check_breaker(Reading& reading, Node node) {
  static constexpr std::array<std::string_view, 4> kKeys{"failure_threshold", "window", "open_for", "probes"};
  if (!reading.expect_map(node, "circuit_breaker")) return;
  for (const Node member : node.children()) {
    if (!contains(kKeys, member.key())) reading.unknown_key(member, "circuit_breaker", kKeys);
    else if (member.key() == "window" || member.key() == "open_for") reading.duration(member, member.key());
    else reading.integer(member, member.key(), 1, kMost);
  }
}

Value read_limit(Reading& reading, Node member) {
  const std::string_view key = member.key();
  if (key == "rate_limit") check_rate(reading, member);
  else if (key == "circuit_breaker") check_breaker(reading, member);
  else if (key == "max_concurrent") reading.integer(member, key, 1, kMost);
  else if (key == "bulkhead") reading.integer(member, key, 0, kMost);
  else return Value(reading.expression(member, key).value_or(""));
  return member.to_value();
}

}  // namespace

AgentConfig read_agent(Reading& reading, Node node, Places& places) {
  AgentConfig agent;
  agent.name = node.key();
  agent.where = reading.at(node.key_mark());
  const std::string path = "agents." + agent.name;
  reading.note(places, path, node.key_mark());
  if (!reading.expect_map(node, path)) return agent;
  std::vector<std::string_view> transports;
  bool all_known = true;
  for (const Node member : node.children()) {
    reading.note(places, path + "." + std::string(member.key()), member.mark());
    if (contains(kTransports, member.key())) {
      transports.push_back(member.key());
      if (transports.size() > 1) continue;
      agent.transport = member.key();
      // `human:` with nothing after it is as good as `human: {}`.
      agent.settings = member.is_null() ? Value(Object{}) : member.to_value();
    } else if (contains(kLimits, member.key())) {
      if (!member.is_null()) agent.limits.set(Text(member.key()), read_limit(reading, member));
    } else {
      std::vector<std::string_view> known(kTransports.begin(), kTransports.end());
      known.insert(known.end(), kLimits.begin(), kLimits.end());
      reading.unknown_key(member, fmt::format("agent '{}'", agent.name), known);
      all_known = false;
    }
  }
  // A key that is not known may well be the transport, misspelt: one finding is enough.
  if (transports.size() > 1 || (transports.empty() && all_known)) {
    reading.error(mf::bad_transport, node.key_mark(),
                  transports.empty() ? fmt::format("agent '{}' has no transport", agent.name)
                                     : fmt::format("agent '{}' has {} transports: {}", agent.name, transports.size(), fmt::join(transports, ", ")),
                  fmt::format("give exactly one of {}", fmt::join(kTransports, ", ")));
  }
  return agent;
}

}  // namespace mapflow::builder
