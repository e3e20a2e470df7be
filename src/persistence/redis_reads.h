// What can be read: each part that belongs to one partition is one consistent view of it.
#pragma once

#include <string_view>
#include <vector>

#include "persistence/redis_access.h"
#include "persistence/redis_keys.h"
#include "persistence/store.h"

namespace mapflow::persistence::redis {

Result<std::vector<LogEntry>> read_log(Access& access, const Keys& keys, Partition partition, LogPosition from, std::size_t max_bytes);
Result<InstanceRow> instance(Access& access, const Keys& keys, std::string_view id);
Result<std::vector<InstanceRow>> unfinished(Access& access, const Keys& keys, Partition partition, std::string_view after_id,
                                            std::size_t limit);
Result<InstancePage> list(Access& access, const Keys& keys, const ListQuery& query);
Result<std::vector<HistoryChunk>> history(Access& access, const Keys& keys, std::string_view instance);
Result<DefinitionRow> definition(Access& access, const Keys& keys, std::string_view hash);
Result<std::vector<DefinitionRow>> definitions(Access& access, const Keys& keys, std::string_view after_hash, std::size_t limit);

}  // namespace mapflow::persistence::redis
