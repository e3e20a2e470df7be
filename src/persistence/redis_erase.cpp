#include "persistence/redis_erase.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <span>

#include "persistence/lease_rules.h"
#include "persistence/redis_claims.h"
#include "persistence/redis_scripts.h"
#include "persistence/redis_values.h"

namespace mapflow::persistence::redis {
namespace {

constexpr std::size_t kRowsOfCall = 100;

using Known = std::vector<const InstanceRow*>;

/// What the server has of each of them; what is not there is `nothing`.
Result<Reply> stored_rows(Access& access, const Keys& keys, Partition partition, std::span<const InstanceRow* const> known) {
  const std::string key = keys.rows(partition);
  Command command{"HMGET", key};
  for (const InstanceRow* row : known) command.view(row->id);
  return access.read(key, command);
}

Result<std::size_t> erase_some(Access& access, const Keys& keys, Partition partition, std::span<const InstanceRow* const> known) {
  MAPFLOW_ASSIGN(const Reply stored, stored_rows(access, keys, partition, known));
  const std::string key = keys.partition(partition);
  Command command(Scripts::all().erase, {key});
  command.add(partition.value);
  std::size_t count = 0;
  for (std::size_t number = 0; number < known.size() && number < stored.elements.size(); ++number) {
    const Reply& bytes = stored.elements[number];
    if (!bytes.is(Reply::Kind::text)) continue;
    const auto row = unpack_row(bytes.text);
    if (!row) return fail(code::corrupt, fmt::format("{}: instance '{}': {}", access.name(), known[number]->id, row.error().message));
    if (!may_erase(*row, *known[number])) continue;
    command.view(known[number]->id).view(bytes.text).add(access.cluster() ? "" : keys.owners(known[number]->id));
    ++count;
  }
  if (count == 0) return 0;
  MAPFLOW_ASSIGN(const Reply erased, access.write(key, command));
  // In a cluster the owner's name lies elsewhere, and goes when nobody can rely on it.
  if (access.cluster())
    for (const Reply& id : erased.elements) MAPFLOW_TRY(take_back_claim(access, keys, id.text, partition));
  return erased.elements.size();
}

}  // namespace

Result<std::size_t> erase(Access& access, const Keys& keys, const std::vector<InstanceRow>& rows) {
  std::map<Partition, Known> by_partition;
  for (const InstanceRow& row : rows) by_partition[row.partition].push_back(&row);
  std::size_t erased = 0;
  for (const auto& [partition, known] : by_partition)
    for (std::size_t first = 0; first < known.size(); first += kRowsOfCall) {
      const std::span<const InstanceRow* const> some = std::span(known).subspan(first, std::min(kRowsOfCall, known.size() - first));
      MAPFLOW_ASSIGN(const std::size_t gone, erase_some(access, keys, partition, some));
      erased += gone;
    }
  return erased;
}

}  // namespace mapflow::persistence::redis
