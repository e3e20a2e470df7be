// The part of a tenure that keeps its memory within bounds: instances that nothing happens to sleep in the store.
//
//   in memory ── unused for longest, over the budget ──> its row gets a snapshot ··durable··> asleep: no state, but still
//       ^                                                                                   its name, timer and children
//       └────────── an input, a request, its timer: the snapshot is read back ─────────────────────────┘
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "engine/snapshot.h"
#include "engine/tenure.h"

namespace mapflow::engine {
namespace {

constexpr Duration kTryAgain = std::chrono::seconds(1);

bool rests_in_store(const Instance& instance) {
  return instance.has_row && instance.row == Instance::Row::none && instance.records.empty() &&
         instance.covered_seq == instance.state->seq;
}

}  // namespace

/// Children and parents look at each other's states, and those that take turns are counted by theirs: they stay.
bool Tenure::could_sleep(const Instance& instance) const {
  return !is_terminal(instance.state->state) && instance.state->parent_id.empty() && !children_.contains(instance.id) &&
         !instance.program->definition().concurrency;
}

void Tenure::weigh(Instance& instance) {
  residence_.weigh(instance, footprint_of(instance.snapshot_bytes + instance.records.size()));
}

Status Tenure::wake(Instance& instance) {
  if (instance.state) return {};
  MAPFLOW_ASSIGN(const persistence::InstanceRow row, parts_.store->instance(instance.id));
  MAPFLOW_ASSIGN(Snapshot snapshot, read_snapshot(row));
  if (row.seq != instance.covered_seq)
    return fail(code::corrupt, fmt::format("its snapshot is record {}, not record {}", row.seq, instance.covered_seq));
  instance.state = std::make_unique<kernel::State>(std::move(snapshot.state));
  instance.chunks = std::move(snapshot.chunks);
  weigh(instance);
  return {};
}

Status Tenure::wake_parents() {
  for (const auto& [parent_id, children] : children_) {
    Instance* const parent = find(parent_id);
    if (!parent) continue;
    Status awake = wake(*parent);
    if (awake) continue;
    if (awake.error().is(code::unavailable)) return awake;
    stand_still(*parent, awake.error());
  }
  return {};
}

void Tenure::put_to_sleep(Instance& instance) {
  residence_.leave(instance);
  instance.state.reset();
  std::vector<ChunkInfo>().swap(instance.chunks);  // the snapshot has them
}

bool Tenure::make_room() {
  bool any = false;
  // At most twice as many as a turn can wake, so that waking never outruns this.
  std::size_t looks = std::min(residence_.size(), 2 * parts_.options.turn_inputs);
  for (; looks > 0 && parts_.resident_bytes > parts_.options.instance_bytes; --looks) {
    Instance* const stalest = residence_.stalest();
    // What is still on its way to the store is not there to be read back.
    const bool settled = stalest->last_batch <= released_through_;
    if (settled && could_sleep(*stalest) && rests_in_store(*stalest)) {
      put_to_sleep(*stalest);
      any = true;
      continue;
    }
    if (settled && could_sleep(*stalest) && !stalest->tired) {
      stalest->tired = true;
      want_row(*stalest, true);
    }
    residence_.touch(*stalest);
  }
  return any;
}

void Tenure::put_off(Work work, const Error& why) {
  Instance& instance = *parts_.instances.find(work.instance);
  parts_.say(fmt::format("instance {} cannot be read back: {}", instance.id, why.to_string()));
  if (why.is(code::unavailable)) {
    put_off_.push_back({saturating_add(now_, kTryAgain), std::move(work)});
    return;
  }
  stand_still(instance, why);
}

/// It does not read back, so it stands still, alone. Who waits for its end is told.
void Tenure::stand_still(Instance& instance, const Error& why) {
  unreadable_.emplace(instance.id, why);
  if (auto watched = watchers_.extract(instance.id))
    for (Answer& answer : watched.mapped()) batch_.answers.push_back({std::move(answer), fail(why)});
  remove(instance);
}

void Tenure::take_up_put_off() {
  for (; !put_off_.empty() && put_off_.front().due <= now_; put_off_.pop_front())
    inputs_.push_back(std::move(put_off_.front().work));
}

}  // namespace mapflow::engine
