#include "persistence/redis_leases.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "persistence/redis_durability.h"
#include "persistence/redis_scripts.h"

namespace mapflow::persistence::redis {
namespace {

constexpr std::uint64_t kFormat = 1;

Command read_fields(const std::string& key) {
  return Command{"HMGET", key, "epoch", "node", "expires", "released", "sender", "written", "log_end"};
}
constexpr std::size_t kNoticeField = 7;  // behind those, where it is asked for

/// Nothing when there is no such partition.
std::optional<Lane> lane_in(const Reply& reply) {
  if (reply.elements.size() < 7 || reply.elements[0].is(Reply::Kind::nothing)) return std::nullopt;
  const auto& field = reply.elements;
  return Lane{{Epoch(field[0].to_unsigned()), field[1].text, from_micros(field[2].to_number()), field[3].to_number() != 0},
              field[4].to_unsigned(), field[5].to_unsigned(), LogPosition(field[6].to_unsigned())};
}

Status make_partition(Access& access, const Keys& keys, Partition partition) {
  const std::string key = keys.partition(partition);
  MAPFLOW_TRY(access.rewrite(key, Command(Scripts::all().make_partition, {key})));
  return {};
}

}  // namespace

std::uint64_t position_of(std::string_view stream_id) {
  std::uint64_t position = 0;
  std::from_chars(stream_id.data(), stream_id.data() + stream_id.size(), position);
  return position;
}

Result<Opened> prepare_store(Access& access, const Keys& keys, std::uint32_t shared_partitions) {
  const std::string store = keys.store();
  // Each field is set by the first who comes; the format last, so that it says that the others are there.
  for (const auto& [field, value] : {std::pair{"shared", std::uint64_t{shared_partitions}}, {"format", kFormat}})
    MAPFLOW_TRY(access.rewrite(store, Command{"HSETNX", store, field, std::to_string(value)}));
  MAPFLOW_ASSIGN(const Reply found, access.read(store, Command{"HMGET", store, "format", "shared"}));
  if (found.elements.size() != 2 || found.elements[0].to_unsigned() == 0 || found.elements[1].to_unsigned() == 0)
    return fail(code::invalid_state, fmt::format("{}: the key '{}' is of another program", access.name(), store),
                "name another beginning for keys with ?prefix=NAME");
  if (const std::uint64_t format = found.elements[0].to_unsigned(); format > kFormat)
    return fail(code::invalid_state,
                fmt::format("{}: the store has format {}, this program knows formats up to {}", access.name(), format, kFormat),
                "use the newer program that wrote the store, or name another beginning for keys with ?prefix=NAME");
  Opened opened{static_cast<std::uint32_t>(found.elements[1].to_unsigned()), {}};
  MAPFLOW_TRY(access.rewrite(store, Command{"HSETNX", store, "partitions", std::to_string(opened.shared_partitions)}));
  for (std::uint32_t number = 0; number < opened.shared_partitions; ++number)
    MAPFLOW_TRY(make_partition(access, keys, Partition(number)));
  opened.risk = durability_risk(access);
  return opened;
}

Result<std::uint32_t> partition_count(Access& access, const Keys& keys) {
  MAPFLOW_ASSIGN(const Reply reply, access.read(keys.store(), Command{"HGET", keys.store(), "partitions"}));
  return static_cast<std::uint32_t>(reply.to_unsigned());
}

Result<Partition> create_private_partition(Access& access, const Keys& keys) {
  MAPFLOW_ASSIGN(const Reply reply, access.write(keys.store(), Command{"HINCRBY", keys.store(), "partitions", "1"}));
  const Partition made(static_cast<std::uint32_t>(reply.number - 1));
  MAPFLOW_TRY(make_partition(access, keys, made));
  return made;
}

Result<Lane> lane(Access& access, const Keys& keys, Partition partition) {
  const std::string key = keys.partition(partition);
  MAPFLOW_ASSIGN(const Reply reply, access.read(key, read_fields(key)));
  if (auto found = lane_in(reply)) return *std::move(found);
  return fail(no_such_partition(partition));
}

Result<std::optional<Lane>> settle(Access& access, const Keys& keys, const Lease& lease) {
  const std::string key = keys.partition(lease.partition);
  Command command(Scripts::all().settle, {key});
  command.add(lease.epoch.value).add(lease.node);
  MAPFLOW_ASSIGN(const Reply reply, access.rewrite(key, command));
  return lane_in(reply);
}

Result<Lease> acquire(Access& access, const Keys& keys, Partition partition, std::string_view node, Duration ttl, Timestamp now) {
  const std::string key = keys.partition(partition);
  for (;;) {
    MAPFLOW_ASSIGN(const Lane current, lane(access, keys, partition));
    MAPFLOW_ASSIGN(Lease lease, next_lease(partition, current.lease, node, ttl, now));
    Command command(Scripts::all().take, {key});
    command.add(current.lease.epoch.value).add(to_micros(current.lease.expires)).add(int{current.lease.released});
    command.add(lease.epoch.value).add(lease.node).add(to_micros(lease.expires));
    MAPFLOW_ASSIGN(const Reply taken, access.write(key, command));
    if (taken.number == 1) return lease;  // else it changed between our two looks
  }
}

Result<Lease> renew(Access& access, const Keys& keys, const Lease& lease, Duration ttl, Timestamp now) {
  const std::string key = keys.partition(lease.partition);
  MAPFLOW_TRY(check_notice(lease));
  const Timestamp expires = saturating_add(now, ttl);
  Command command(Scripts::all().renew, {key});
  command.add(lease.epoch.value).add(to_micros(expires)).view(lease.notice);
  MAPFLOW_ASSIGN(const Reply node, access.rewrite(key, command));
  if (node.is(Reply::Kind::text)) return Lease{lease.partition, lease.epoch, node.text, expires};
  MAPFLOW_ASSIGN(const Lane current, lane(access, keys, lease.partition));
  MAPFLOW_TRY(check_lease(current.lease, lease));
  return fail(code::unavailable, fmt::format("{}: partition {} changed hands in this moment", access.name(), lease.partition.value));
}

Status release(Access& access, const Keys& keys, const Lease& lease) {
  const std::string key = keys.partition(lease.partition);
  Command command(Scripts::all().release, {key});
  command.add(lease.epoch.value);
  MAPFLOW_TRY(access.rewrite(key, command));
  return {};
}

Result<std::vector<Lease>> leases(Access& access, const Keys& keys) {
  MAPFLOW_ASSIGN(const std::uint32_t count, partition_count(access, keys));
  Access::Calls reads;
  for (std::uint32_t number = 0; number < count; ++number) {
    std::string key = keys.partition(Partition(number));
    Command command = read_fields(key);
    command.add("notice");
    reads.emplace_back(std::move(key), std::move(command));
  }
  MAPFLOW_ASSIGN(const std::vector<Reply> replies, access.read_all(reads));
  std::vector<Lease> all;
  for (std::uint32_t number = 0; number < count; ++number)
    if (const auto found = lane_in(replies[number]); found && found->lease.epoch.value > 0)
      all.push_back({Partition(number), found->lease.epoch, found->lease.node, found->lease.expires,
                     replies[number].elements[kNoticeField].text});
  return all;
}

Result<InboxPosition> post(Access& access, const Keys& keys, Partition partition, std::string_view command) {
  const std::string key = keys.partition(partition);
  Command call(Scripts::all().post, {key, keys.inbox(partition)});
  call.view(command).add(partition.value).add(keys.channel());
  MAPFLOW_ASSIGN(const Reply posted, access.write(key, call));
  if (!posted.is(Reply::Kind::number)) return fail(no_such_partition(partition));
  return InboxPosition(posted.to_unsigned());
}

Result<std::vector<InboxEntry>> inbox(Access& access, const Keys& keys, Partition partition, InboxPosition after, std::size_t limit) {
  const std::string key = keys.inbox(partition);
  MAPFLOW_ASSIGN(const Reply reply, access.read(key, Command{"XRANGE", key, fmt::format("({}-0", after.value), "+", "COUNT",
                                                             std::to_string(std::min<std::size_t>(limit, 100'000))}));
  std::vector<InboxEntry> entries;
  for (const Reply& entry : reply.elements) {
    if (entry.elements.size() != 2 || entry.elements[1].elements.size() != 2)
      return fail(code::corrupt, fmt::format("{}: an entry of the inbox of partition {} does not read back", access.name(), partition.value));
    entries.push_back({InboxPosition(position_of(entry.elements[0].text)), entry.elements[1].elements[1].text});
  }
  return entries;
}

}  // namespace mapflow::persistence::redis
