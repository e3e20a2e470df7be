#include "engine/follower.h"

#include <algorithm>
#include <utility>

#include "engine/batch.h"
#include "engine/member.h"
#include "engine/replay.h"
#include "engine/stored_instance.h"

namespace mapflow::engine {
namespace {

constexpr std::size_t kLogBytesAtATime = 4u << 20;
constexpr unsigned kLookAtRow = 10;  // quiet calls; the log may have been shortened past what we have not read

}  // namespace

Result<std::vector<kernel::Event>> Follower::next() {
  std::vector<kernel::Event> events;
  if (!program_) {
    MAPFLOW_TRY(read_all(events));
    return events;
  }
  MAPFLOW_TRY(read_log(events));
  quiet_ = events.empty() ? quiet_ + 1 : 0;
  if (quiet_ >= kLookAtRow) {
    quiet_ = 0;
    MAPFLOW_TRY(look_at_row(events));
  }
  return events;
}

/// Everything anew; gives the events after those that were given before.
Status Follower::read_all(std::vector<kernel::Event>& events) {
  MAPFLOW_ASSIGN(StoredInstance stored, read_stored_instance(store_, programs_, id_, true));
  const auto row = store_.instance(id_);
  if (!row && !row.error().is(code::not_found)) return fail(row.error());
  partition_ = row ? row->partition : shared_partition_of(id_, store_.shared_partitions());
  program_ = std::move(stored.program);
  const std::uint64_t known = std::exchange(state_, std::move(stored.state)).seq;
  for (kernel::Event& event : stored.events)
    if (event.seq > known) events.push_back(std::move(event));
  return {};
}

Status Follower::read_log(std::vector<kernel::Event>& events) {
  bool gap = false;
  while (!gap) {
    MAPFLOW_ASSIGN(const auto entries, store_.read_log(partition_, from_, kLogBytesAtATime));
    if (entries.empty()) return {};
    for (const persistence::LogEntry& entry : entries) {
      MAPFLOW_TRY(read_batch(entry.bytes, [&](const RecordGroup& group) -> Status {
        if (gap || group.instance != id_ || group.first_seq + group.count - 1 <= state_.seq) return {};
        gap = group.first_seq != state_.seq + 1;
        if (gap) return {};
        return replay(*program_, state_, group.records, [&](const kernel::State& before, const kernel::Record& record) {
          events.push_back(kernel::describe(*program_, before, record));
        });
      }));
      if (!gap) from_.value = entry.position.value + 1;
    }
  }
  return read_all(events);  // the log was shortened before we had read it
}

Status Follower::look_at_row(std::vector<kernel::Event>& events) {
  const auto row = store_.instance(id_);
  if (!row) return row.error().is(code::not_found) ? Status() : Status(fail(row.error()));
  return row->seq > state_.seq ? read_all(events) : Status();
}

}  // namespace mapflow::engine
