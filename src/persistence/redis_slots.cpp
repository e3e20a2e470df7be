#include "persistence/redis_slots.h"

#include <algorithm>
#include <charconv>

namespace mapflow::persistence::redis {

Result<SlotTable> SlotTable::read(const Reply& reply, const Endpoint& asked) {
  SlotTable table;
  for (const Reply& range : reply.elements) {
    // first slot, last slot, then the primary and its replicas, each: host, port, name …
    if (range.elements.size() < 3 || range.elements[2].elements.size() < 2) return fail(code::corrupt, "CLUSTER SLOTS does not read");
    const std::vector<Reply>& primary = range.elements[2].elements;
    const std::size_t index = table.index_of({primary[0].text.empty() ? asked.host : primary[0].text,
                                              static_cast<std::uint16_t>(primary[1].to_number())});
    const auto last = std::min<std::uint64_t>(range.elements[1].to_unsigned(), table.owner_.size() - 1);
    for (std::uint64_t slot = range.elements[0].to_unsigned(); slot <= last; ++slot)
      table.owner_[slot] = static_cast<std::uint16_t>(index);
  }
  return table;
}

std::optional<Endpoint> SlotTable::server_of(std::uint16_t slot) const {
  return owner_[slot] == kNobody ? std::nullopt : std::optional(servers_[owner_[slot]]);
}

void SlotTable::move(std::uint16_t slot, const Endpoint& to) { owner_[slot] = static_cast<std::uint16_t>(index_of(to)); }

std::size_t SlotTable::index_of(const Endpoint& server) {
  const auto found = std::ranges::find(servers_, server);
  if (found != servers_.end()) return static_cast<std::size_t>(found - servers_.begin());
  servers_.push_back(server);
  return servers_.size() - 1;
}

std::optional<Endpoint> redirection(std::string_view message, const Endpoint& asked) {
  const std::string_view address = message.substr(message.rfind(' ') + 1);
  const std::size_t colon = address.rfind(':');
  if (colon == address.npos) return std::nullopt;
  Endpoint to{std::string(address.substr(0, colon)), 0};
  if (to.host.empty()) to.host = asked.host;
  const std::string_view port = address.substr(colon + 1);
  if (std::from_chars(port.data(), port.data() + port.size(), to.port).ec != std::errc()) return std::nullopt;
  return to;
}

}  // namespace mapflow::persistence::redis
