#include "persistence/redis_durability.h"

#include <fmt/format.h>

#include <initializer_list>
#include <string_view>
#include <vector>

namespace mapflow::persistence::redis {
namespace {

struct Rule {
  std::string_view setting;
  std::string_view known_as;  ///< to people
  bool (*good)(std::string_view value);
  std::string_view remedy;
};

/// The value of a setting in the answer to CONFIG GET or ACL GETUSER; empty when it is not there.
std::string_view setting(const Reply& settings, std::string_view name) {
  for (std::size_t at = 0; at + 1 < settings.elements.size(); at += 2)
    if (settings.elements[at].text == name) return settings.elements[at + 1].text;
  return {};
}

/// What the first server says that does not keep the rule; empty when all keep it.
std::string broken(const Rule& rule, const std::vector<Reply>& servers) {
  for (const Reply& server : servers)
    if (const std::string_view value = setting(server, rule.setting); !rule.good(value))
      return fmt::format("{} is '{}': {}", rule.known_as, value, rule.remedy);
  return {};
}

}  // namespace

std::string durability_risk(Access& access) {
  std::string risk;
  const auto add = [&risk](std::string_view one) {
    if (!one.empty()) risk.append(risk.empty() ? "" : "; ").append(one);
  };
  const auto check = [&](const Command& question, std::initializer_list<Rule> rules) {
    const auto servers = access.ask_servers(question);
    if (!servers) return add(fmt::format("a server does not tell its settings ({}): let the user of the store ask for them", servers.error().message));
    for (const Rule& rule : rules) add(broken(rule, *servers));
  };
  if (access.options().kind != AccessOptions::Kind::single && access.options().replicas == 0)
    add("replicas is 0, so a replica that takes over may lack the newest: add replicas=1 to the URL");
  check({"CONFIG", "GET", "append*"},
        {{"appendonly", "appendonly", [](std::string_view value) { return value == "yes"; }, "set it to yes"},
         {"appendfsync", "appendfsync", [](std::string_view value) { return value == "always"; }, "set it to always"}});
  check({"CONFIG", "GET", "maxmemory-policy"},
        {{"maxmemory-policy", "maxmemory-policy", [](std::string_view value) { return !value.empty() && !value.starts_with("allkeys"); },
          "set it to noeviction"}});
  // When Redis 7 reads its log back, it leaves out transactions that its default user may not make (redis/redis#14541): a
  // configuration that says "user default off", and no more of that user, costs the data.
  constexpr std::string_view kAllowAll = "allow it everything, also when nobody may log in as it: user default off ~* &* +@all";
  check({"ACL", "GETUSER", "default"},
        {{"commands", "what the default user may do", [](std::string_view value) { return value == "+@all"; }, kAllowAll},
         {"keys", "what the default user may touch", [](std::string_view value) { return value == "~*"; }, kAllowAll}});
  return risk;
}

}  // namespace mapflow::persistence::redis
