#include "engine/past.h"

#include <fmt/format.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/letters.h"
#include "engine/replay.h"
#include "kernel/codec.h"

namespace mapflow::engine {
namespace {

/// Records, and the encoded state before them; empty when they begin the instance.
struct Stretch {
  std::string_view base, records;
};

Result<kernel::State> state_before(const Stretch& stretch) {
  if (stretch.base.empty()) return kernel::State();
  return kernel::decode_state(stretch.base);
}

Result<std::shared_ptr<const kernel::Mark>> replay_until(const kernel::Program& program, const Stretch& stretch, std::uint64_t seq) {
  auto mark = std::make_shared<kernel::Mark>();
  MAPFLOW_ASSIGN(mark->state, state_before(stretch));
  kernel::RecordReader reader(stretch.records);
  std::optional<kernel::Record> next;
  while (mark->state.seq < seq) {
    MAPFLOW_ASSIGN(next, reader.next());
    kernel::apply(program, mark->state, *next);
  }
  if (!next) {  // the place is where the stretch begins
    MAPFLOW_ASSIGN(next, reader.next());
  }
  mark->at = next->at;
  return mark;
}

/// Looks for the place in one stretch after the other.
class PlaceFinder {
 public:
  PlaceFinder(const kernel::Program& program, std::optional<std::uint64_t> checkpoint, const std::string& step)
      : program_(program), checkpoint_(checkpoint), search_(program, step) {}

  /// The mark when the place is in this stretch, whose first record has that number; else null.
  Result<std::shared_ptr<const kernel::Mark>> look(const Stretch& stretch, std::uint64_t first_seq) {
    std::optional<std::uint64_t> seq = checkpoint_;
    if (!seq) {
      MAPFLOW_ASSIGN(kernel::State state, state_before(stretch));
      MAPFLOW_TRY(replay(program_, state, stretch.records,
                         [&](const kernel::State& before, const kernel::Record& record) { search_.see(before, record); }));
      seq = search_.end_stretch();
      if (!seq) return nullptr;
    }
    if (*seq + 1 < first_seq) return nullptr;
    return replay_until(program_, stretch, *seq);
  }

 private:
  const kernel::Program& program_;
  const std::optional<std::uint64_t> checkpoint_;
  kernel::StepSearch search_;
};

}  // namespace

Result<std::shared_ptr<const kernel::Mark>> find_mark(persistence::Store& store, const Instance& instance, const kernel::Place& place) {
  std::optional<std::uint64_t> checkpoint;
  if (!place.checkpoint.empty()) {
    MAPFLOW_ASSIGN(checkpoint, kernel::checkpoint_seq(*instance.state, place.checkpoint));
  }
  PlaceFinder finder(*instance.program, checkpoint, place.before);
  if (!instance.records.empty()) {
    MAPFLOW_ASSIGN(auto mark, finder.look({instance.base, instance.records}, instance.covered_seq + 1));
    if (mark) return mark;
  }
  const Error on_its_way(reroute::later, fmt::format("the history of instance '{}' is on its way to the store", instance.id));
  std::uint64_t reached = instance.covered_seq;  // records up to here have not been looked at
  std::vector<persistence::HistoryChunk> chunks;
  if (reached > 0) {
    MAPFLOW_ASSIGN(chunks, store.history(instance.id));
  }
  for (auto chunk = chunks.rbegin(); chunk != chunks.rend(); ++chunk) {
    if (chunk->first_seq > reached) continue;
    if (chunk->last_seq < reached) return fail(on_its_way);
    MAPFLOW_ASSIGN(const ChunkView view, decode_chunk(chunk->records));
    reached = chunk->first_seq - 1;
    if (view.dropped && !checkpoint) break;  // what was taken back in there is not known any more
    if (view.dropped) continue;
    MAPFLOW_ASSIGN(auto mark, finder.look({view.base, view.records}, chunk->first_seq));
    if (mark) return mark;
  }
  if (chunks.empty() && reached > 0) return fail(on_its_way);
  return fail(code::not_found, fmt::format("instance '{}' has no place {}", instance.id, kernel::describe(place)),
              "it can go back to before any step that it started and did not take back, as far as its history is kept");
}

}  // namespace mapflow::engine
