#include "persistence/archived.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <utility>

#include "persistence/compression.h"
#include "persistence/listing.h"

namespace mapflow::persistence {
namespace {

/// Of rows that may be taken back to life; who reads so many in between loses only that the archived copy goes at once.
constexpr std::size_t kRemembered = 1000;

Result<std::string> packed(Compressor& compressor, const std::string& bytes) {
  if (bytes.empty()) return bytes;
  std::string frame = compressor.compress(bytes);
  if (frame.empty()) return fail(code::resource_exhausted, "an instance could not be compressed for the archive");
  return frame;
}

Result<std::string> unpacked(const std::string& frame) { return frame.empty() ? frame : decompress(frame); }

bool holds(const std::vector<InstanceRow>& rows, std::string_view id) {
  return std::ranges::find(rows, id, &InstanceRow::id) != rows.end();
}

bool newer(const InstanceRow& left, const InstanceRow& right) {
  return left.created != right.created ? left.created > right.created : left.id > right.id;
}

}  // namespace

ArchivedStore::ArchivedStore(std::shared_ptr<Store> primary, std::shared_ptr<Store> archive, ArchiveOptions options)
    : ForwardingStore(std::move(primary)), archive_(std::move(archive)), options_(std::move(options)),
      finder_(inner()), background_(options_.pause > Duration::zero() ? Background::Errand([this] {
        (void)finder_.look(saturating_add(options_.now(), -options_.retention), kBackgroundLook, [this](const std::vector<InstanceRow>& rows) -> Status {
          MAPFLOW_TRY(move_all(rows));
          return {};
        });
      }) : Background::Errand(), options_.pause) {}

template <class T>
Result<T> ArchivedStore::noted(Result<T> outcome) {
  if (outcome || outcome.error().is(code::not_found) || outcome.error().is(code::invalid_input)) {
    trouble_.over();
  } else {
    trouble_.note(outcome.error());
  }
  return outcome;
}

std::vector<TierReport> ArchivedStore::tiers() {
  auto reports = inner().tiers();
  if (reports.empty()) reports.push_back({"primary", inner().name(), {}, 0});
  reports.push_back({"archive", archive_->name(), trouble_.text(), 0});
  return reports;
}

Result<std::size_t> ArchivedStore::sweep(Timestamp before) {
  std::size_t moved = 0;
  MAPFLOW_TRY(OverdueFinder(inner()).look_at_all(before, [&](const std::vector<InstanceRow>& rows) -> Status {
    MAPFLOW_ASSIGN(const std::size_t some, move_all(rows));
    moved += some;
    return {};
  }));
  return moved;
}

Result<std::size_t> ArchivedStore::move_all(const std::vector<InstanceRow>& rows) {
  std::size_t moved = 0;
  for (const InstanceRow& row : rows) {
    MAPFLOW_ASSIGN(const bool gone, noted(move(row)));
    if (gone) ++moved;
  }
  return moved;
}

/// False when it has changed meanwhile.
Result<bool> ArchivedStore::move(const InstanceRow& listed) {
  // Under the archive's lease from before the row is looked at: see erase().
  MAPFLOW_ASSIGN(Lease lease, take_over(*archive_, listed.partition, "archive"));
  auto found = inner().instance(listed.id);
  if (!found && found.error().is(code::not_found)) return false;
  MAPFLOW_ASSIGN(InstanceRow row, std::move(found));
  if (!row.finished || row.partition != listed.partition || row.seq != listed.seq || row.updated != listed.updated) return false;
  // Through history(), which adds what is in the archive from an earlier life.
  MAPFLOW_ASSIGN(std::vector<HistoryChunk> chunks, history(row.id));
  Commit commit{.lease = std::move(lease)};
  MAPFLOW_TRY(add_definition(commit, inner(), row.definition));
  Compressor compressor;
  for (HistoryChunk& chunk : chunks) {
    MAPFLOW_ASSIGN(chunk.records, packed(compressor, chunk.records));
  }
  commit.history = std::move(chunks);
  MAPFLOW_ASSIGN(row.snapshot, packed(compressor, row.snapshot));
  commit.rows.push_back(row);
  const auto written = commit_and_wait(*archive_, std::move(commit));
  if (!written && written.error().is(code::fenced)) return false;  // somebody else is at this partition
  MAPFLOW_TRY(written);
  MAPFLOW_ASSIGN(const std::size_t gone, inner().erase({row}));
  if (gone > 0) return true;
  // Another process moved it as well, and then this copy is the only one; or it changed, and then the primary's counts.
  const auto changed = inner().instance(row.id);
  if (changed) MAPFLOW_TRY(archive_->erase({row}));
  return false;
}

/// Gives the primary the archived history of instances that `commit` writes rows of. Gives what must leave the archive
/// once the commit is durable.
std::vector<InstanceRow> ArchivedStore::take_back(Commit& commit) {
  std::vector<InstanceRow> returning;
  {
    const std::lock_guard lock(mutex_);
    if (read_.empty()) return returning;
    for (const InstanceRow& row : commit.rows)
      for (const InstanceRow& archived : read_)
        if (archived.id == row.id) returning.push_back(archived);
  }
  std::erase_if(returning, [&](const InstanceRow& row) {
    auto chunks = noted(archived_history(row.id));
    if (!chunks) return true;  // it stays in the archive, where history() finds it
    for (HistoryChunk& chunk : *chunks) {
      const bool rewritten = std::ranges::any_of(commit.history, [&](const HistoryChunk& each) {
        return each.instance == chunk.instance && each.first_seq == chunk.first_seq;
      });
      if (!rewritten) commit.history.push_back(std::move(chunk));
    }
    return false;
  });
  return returning;
}

void ArchivedStore::commit(Commit commit, CommitDone done) {
  auto returning = take_back(commit);
  if (returning.empty()) return inner().commit(std::move(commit), std::move(done));
  in_flight_.begin();
  inner().commit(std::move(commit), [this, returning = std::move(returning), done = std::move(done)](
                                        Result<LogPosition> position) mutable {
    if (position) {
      {
        const std::lock_guard lock(mutex_);
        std::erase_if(read_, [&](const InstanceRow& row) { return holds(returning, row.id); });
      }
      background_.give([this, returning = std::move(returning)] { (void)noted(archive_->erase(returning)); });
    }
    done(std::move(position));
    in_flight_.end();
  });
}

/// One at a time: an instance that is being moved is in both, and counts once. Taking the archive's lease in between shuts
/// out whoever looked at the row before it was erased and has not written it yet.
Result<std::size_t> ArchivedStore::erase(const std::vector<InstanceRow>& rows) {
  std::size_t erased = 0;
  for (const InstanceRow& row : rows) {
    MAPFLOW_ASSIGN(const std::size_t here, inner().erase({row}));
    if (here > 0) MAPFLOW_TRY(noted(take_over(*archive_, row.partition, "archive")));
    MAPFLOW_ASSIGN(const std::size_t there, noted(archive_->erase({row})));
    if (here + there > 0) ++erased;
  }
  return erased;
}

Result<InstanceRow> ArchivedStore::instance(std::string_view id) {
  auto row = inner().instance(id);
  if (row || !row.error().is(code::not_found)) return row;
  auto archived = noted(archive_->instance(id));
  if (!archived) return archived.error().is(code::not_found) ? std::move(row) : std::move(archived);
  const InstanceRow& found = *archived;
  {
    const std::lock_guard lock(mutex_);
    std::erase_if(read_, [&](const InstanceRow& each) { return each.id == found.id; });
    if (read_.size() == kRemembered) read_.pop_front();
    read_.push_back(found);
    std::string().swap(read_.back().snapshot);
  }
  MAPFLOW_ASSIGN(archived->snapshot, unpacked(archived->snapshot));
  return archived;
}

Result<InstancePage> ArchivedStore::list(const ListQuery& query) {
  // The archive last: what moves in between is then seen twice rather than not at all.
  MAPFLOW_ASSIGN(InstancePage page, inner().list(query));
  MAPFLOW_ASSIGN(InstancePage archived, noted(archive_->list(query)));
  const bool more = !page.next_cursor.empty() || !archived.next_cursor.empty();
  std::erase_if(archived.rows, [&](const InstanceRow& row) { return holds(page.rows, row.id); });
  std::vector<InstanceRow> merged;
  std::ranges::merge(std::make_move_iterator(page.rows.begin()), std::make_move_iterator(page.rows.end()),
                     std::make_move_iterator(archived.rows.begin()), std::make_move_iterator(archived.rows.end()),
                     std::back_inserter(merged), newer);
  InstancePage out{.rows = std::move(merged), .next_cursor = {}};
  const bool cut = out.rows.size() > query.limit;
  if (cut) out.rows.resize(query.limit);
  if ((cut || more) && !out.rows.empty()) out.next_cursor = format_cursor(out.rows.back());
  return out;
}

Result<std::vector<HistoryChunk>> ArchivedStore::archived_history(std::string_view instance) {
  MAPFLOW_ASSIGN(std::vector<HistoryChunk> chunks, archive_->history(instance));
  for (HistoryChunk& chunk : chunks) {
    MAPFLOW_ASSIGN(chunk.records, unpacked(chunk.records));
  }
  return chunks;
}

Result<std::vector<HistoryChunk>> ArchivedStore::history(std::string_view instance) {
  // The archive last: what moves in between is then seen twice rather than not at all.
  MAPFLOW_ASSIGN(std::vector<HistoryChunk> chunks, inner().history(instance));
  MAPFLOW_ASSIGN(std::vector<HistoryChunk> archived, noted(archived_history(instance)));
  std::map<std::uint64_t, HistoryChunk> merged;
  for (HistoryChunk& chunk : archived) merged.insert_or_assign(chunk.first_seq, std::move(chunk));
  for (HistoryChunk& chunk : chunks) merged.insert_or_assign(chunk.first_seq, std::move(chunk));
  std::vector<HistoryChunk> out;
  for (auto& [first_seq, chunk] : merged) out.push_back(std::move(chunk));
  return out;
}

Result<DefinitionRow> ArchivedStore::definition(std::string_view hash) {
  auto found = inner().definition(hash);
  if (found || !found.error().is(code::not_found)) return found;
  auto archived = noted(archive_->definition(hash));
  return archived || !archived.error().is(code::not_found) ? std::move(archived) : std::move(found);
}

}  // namespace mapflow::persistence
