#include "persistence/redis_reads.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>

#include "persistence/redis_leases.h"
#include "persistence/redis_listing.h"
#include "persistence/redis_scripts.h"
#include "persistence/redis_values.h"

namespace mapflow::persistence::redis {
namespace {

std::unexpected<Error> damaged(const Access& access, std::string_view what, const Error& why) {
  return fail(code::corrupt, fmt::format("{}: {} does not read back: {}", access.name(), what, why.message));
}

/// The same command for every partition, answered in their order.
template <class MakeCommand>
Result<std::vector<Reply>> ask_all(Access& access, const Keys& keys, const MakeCommand& make) {
  MAPFLOW_ASSIGN(const std::uint32_t count, partition_count(access, keys));
  Access::Calls reads;
  for (std::uint32_t number = 0; number < count; ++number)
    reads.emplace_back(keys.partition(Partition(number)), make(Partition(number)));
  return access.read_all(reads);
}

/// The partition that has a row of the instance.
Result<std::optional<Partition>> owner_of(Access& access, const Keys& keys, std::string_view id) {
  const std::string owners = keys.owners(id);
  MAPFLOW_ASSIGN(const Reply owner, access.read(owners, Command{"HGET", owners, id}));
  if (!owner.is(Reply::Kind::text)) return std::optional<Partition>();
  return std::optional(Partition(static_cast<std::uint32_t>(owner.to_unsigned())));
}

Result<std::vector<HistoryChunk>> read_chunks(const Access& access, std::string_view instance, const Reply& fields) {
  std::vector<HistoryChunk> chunks;
  for (std::size_t at = 0; at + 1 < fields.elements.size(); at += 2) {
    const std::uint64_t first_seq = fields.elements[at].to_unsigned();
    auto chunk = unpack_chunk(instance, first_seq, fields.elements[at + 1].text);
    if (!chunk) return damaged(access, fmt::format("the history of instance '{}' from record {}", instance, first_seq), chunk.error());
    chunks.push_back(*std::move(chunk));
  }
  std::ranges::sort(chunks, {}, &HistoryChunk::first_seq);
  return chunks;
}

}  // namespace

Result<std::vector<LogEntry>> read_log(Access& access, const Keys& keys, Partition partition, LogPosition from, std::size_t max_bytes) {
  const std::string key = keys.log(partition);
  Command command(Scripts::all().read_log, {key});
  command.add(from.value).add(max_bytes);
  MAPFLOW_ASSIGN(Reply reply, access.read(key, command));
  std::vector<LogEntry> entries;
  for (Reply& entry : reply.elements) {
    if (entry.elements.size() != 3)
      return damaged(access, fmt::format("the log of partition {}", partition.value), Error(code::corrupt, "an entry lacks a part"));
    entries.push_back({LogPosition(position_of(entry.elements[0].text)), Epoch(entry.elements[1].to_unsigned()),
                       std::move(entry.elements[2].text)});
  }
  return entries;
}

Result<InstanceRow> instance(Access& access, const Keys& keys, std::string_view id) {
  MAPFLOW_ASSIGN(const std::optional<Partition> owner, owner_of(access, keys, id));
  if (owner) {
    const std::string key = keys.partition(*owner);
    Command command(Scripts::all().row, {keys.rows(*owner), keys.snapshots(*owner)});
    command.view(id);
    MAPFLOW_ASSIGN(Reply reply, access.read(key, command));
    if (reply.elements.size() == 2) {
      auto row = unpack_row(reply.elements[0].text);
      if (!row) return damaged(access, fmt::format("instance '{}'", id), row.error());
      row->snapshot = std::move(reply.elements[1].text);
      return row;
    }
  }
  return fail(code::not_found, fmt::format("no instance '{}'", id));
}

Result<std::vector<InstanceRow>> unfinished(Access& access, const Keys& keys, Partition partition, std::string_view after_id,
                                            std::size_t limit) {
  const std::string key = keys.partition(partition);
  std::vector<InstanceRow> rows;
  while (rows.size() < limit) {
    const std::string_view after = rows.empty() ? after_id : std::string_view(rows.back().id);
    Command command(Scripts::all().unfinished, {key});
    command.add(after.empty() ? "-" : fmt::format("({}", after)).add(std::min<std::size_t>(limit - rows.size(), 100'000));
    MAPFLOW_ASSIGN(Reply reply, access.read(key, command));
    if (reply.elements.size() < 2) break;
    for (std::size_t at = 0; at + 1 < reply.elements.size(); at += 2) {
      auto row = unpack_row(reply.elements[at].text);
      if (!row) return damaged(access, fmt::format("an instance of partition {}", partition.value), row.error());
      row->snapshot = std::move(reply.elements[at + 1].text);
      rows.push_back(*std::move(row));
    }
  }
  return rows;
}

Result<InstancePage> list(Access& access, const Keys& keys, const ListQuery& query) {
  MAPFLOW_ASSIGN(const std::uint32_t count, partition_count(access, keys));
  MAPFLOW_ASSIGN(Listing listing, Listing::begin(access, keys, query, count));
  InstancePage page;
  for (;;) {
    MAPFLOW_ASSIGN(std::optional<InstanceRow> row, listing.next());
    if (!row) break;
    if (page.rows.size() == query.limit) {
      if (!page.rows.empty()) page.next_cursor = format_cursor(page.rows.back());
      break;
    }
    page.rows.push_back(*std::move(row));
  }
  return page;
}

Result<std::vector<HistoryChunk>> history(Access& access, const Keys& keys, std::string_view instance) {
  MAPFLOW_ASSIGN(const std::optional<Partition> owner, owner_of(access, keys, instance));
  if (owner) {
    const std::string key = keys.history(*owner, instance);
    MAPFLOW_ASSIGN(const Reply fields, access.read(key, Command{"HGETALL", key}));
    return read_chunks(access, instance, fields);
  }
  // Without a row, as of an instance that was never listed, any partition may have it.
  MAPFLOW_ASSIGN(const std::vector<Reply> replies, ask_all(access, keys, [&](Partition partition) {
                   return Command{"HGETALL", keys.history(partition, instance)};
                 }));
  for (const Reply& fields : replies)
    if (!fields.elements.empty()) return read_chunks(access, instance, fields);
  return std::vector<HistoryChunk>();
}

Result<DefinitionRow> definition(Access& access, const Keys& keys, std::string_view hash) {
  MAPFLOW_ASSIGN(const std::vector<Reply> replies, ask_all(access, keys, [&](Partition partition) {
                   return Command{"HGET", keys.definitions(partition), hash};
                 }));
  for (const Reply& reply : replies) {
    if (!reply.is(Reply::Kind::text)) continue;
    auto row = unpack_definition(hash, reply.text);
    if (!row) return damaged(access, fmt::format("definition '{}'", hash), row.error());
    return row;
  }
  return fail(code::not_found, fmt::format("no definition with hash '{}'", hash));
}

Result<std::vector<DefinitionRow>> definitions(Access& access, const Keys& keys, std::string_view after_hash, std::size_t limit) {
  MAPFLOW_ASSIGN(const std::vector<Reply> replies,
                 ask_all(access, keys, [&](Partition partition) { return Command{"HKEYS", keys.definitions(partition)}; }));
  std::set<std::string_view> hashes;  // any partition may have any of them
  for (const Reply& reply : replies)
    for (const Reply& hash : reply.elements)
      if (hash.text > after_hash) hashes.insert(hash.text);
  std::vector<DefinitionRow> page;
  for (const std::string_view hash : hashes) {
    if (page.size() == limit) break;
    MAPFLOW_ASSIGN(DefinitionRow row, definition(access, keys, hash));
    page.push_back(std::move(row));
  }
  return page;
}

}  // namespace mapflow::persistence::redis
