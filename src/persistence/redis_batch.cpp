#include "persistence/redis_batch.h"

#include "persistence/redis_scripts.h"
#include "persistence/redis_values.h"

namespace mapflow::persistence::redis {
namespace {

constexpr std::size_t kWordsOfCommit = 6, kWordsOfRow = 4, kWordsOfChunk = 3, kWordsOfDefinition = 2;

std::size_t words_of(const Commit& commit) {
  return kWordsOfCommit + kWordsOfRow * commit.rows.size() + kWordsOfChunk * commit.history.size() +
         kWordsOfDefinition * commit.definitions.size();
}

void add_commit(Command& call, const PackedCommit& packed, const Keys& keys, bool cluster) {
  const Commit& commit = packed.commit;
  call.view(commit.log).add(commit.truncate_before.value);
  call.add(commit.inbox_through.value == 0 ? 0 : commit.inbox_through.value + 1);
  call.add(commit.rows.size()).add(commit.history.size()).add(commit.definitions.size());
  for (const InstanceRow& row : commit.rows)
    call.view(row.id).add(cluster ? "" : keys.owners(row.id)).add(pack_row(row)).view(row.snapshot);
  for (std::size_t number = 0; number < commit.history.size(); ++number) {
    const HistoryChunk& chunk = commit.history[number];
    call.view(chunk.instance).add(chunk.first_seq).add(pack_chunk(chunk, packed.encoding[number]));
  }
  for (const DefinitionRow& row : commit.definitions) call.view(row.hash).add(pack_definition(row));
}

}  // namespace

Command write_call(const std::vector<LaneUse>& lanes, const Keys& keys, bool cluster) {
  std::vector<std::string> partitions;
  for (const LaneUse& lane : lanes) partitions.push_back(keys.partition(lane.lease.partition));
  Command call(Scripts::all().write_commits, std::move(partitions));
  call.add(int{cluster});
  for (const LaneUse& lane : lanes) {
    std::size_t words = 0;
    for (const QueuedCommit* item : lane.items) words += words_of(item->packed.commit);
    call.add(words).add(lane.lease.partition.value).add(lane.lease.epoch.value).view(lane.lease.node).add(lane.sender);
    call.add(lane.written_before).add(lane.items.size());
    for (const QueuedCommit* item : lane.items) add_commit(call, item->packed, keys, cluster);
  }
  return call;
}

Result<std::vector<LaneOutcome>> read_outcomes(const Reply& reply, std::size_t lanes) {
  std::vector<LaneOutcome> outcomes;
  for (const Reply& answer : reply.elements) {
    if (answer.elements.empty()) break;
    const std::int64_t done = answer.elements[0].to_number();
    LaneOutcome outcome{done < 0, done < 0 ? 0 : static_cast<std::size_t>(done), {}, {}};
    if (answer.elements.size() == 3) {
      outcome.owner = Partition(static_cast<std::uint32_t>(answer.elements[1].to_unsigned()));
      outcome.taken = answer.elements[2].text;
    }
    outcomes.push_back(std::move(outcome));
  }
  if (outcomes.size() != lanes) return fail(code::corrupt, "the server's function gave an answer that it never gives");
  return outcomes;
}

}  // namespace mapflow::persistence::redis
