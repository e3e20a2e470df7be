#include "persistence/sqlite_writer.h"

#include <utility>

namespace mapflow::persistence::sqlite {
namespace {

/// Bounds how long the first commit of a group waits for the last one.
constexpr std::size_t kMaxGroupBytes = 8 << 20;

/// Another process that waits looks every 200 µs for the end of a transaction (see Database::wait_while_busy).
constexpr auto kOthersTurn = std::chrono::microseconds(400);
constexpr auto kOthersStayFor = std::chrono::milliseconds(200);

/// Grows when another connection has written.
std::int64_t data_version(Database& db) {
  Query query = db.query("PRAGMA data_version");
  const auto row = query.next();
  return row && *row ? query.integer(0) : 0;
}

}  // namespace

Writer::Writer(std::unique_ptr<Database> db, Flusher::Sync sync)
    : db_(std::move(db)), flusher_(std::move(sync)), data_version_(data_version(*db_)) {
  // Leftovers only cost space; the next truncation finds them again if this fails.
  if (!sweep_.find_leftovers(*db_)) sweep_.forget();
  thread_ = std::thread([this] { run(); });
}

Writer::~Writer() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void Writer::push(std::unique_ptr<Work> work) {
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back(std::move(work));
  }
  wake_.notify_one();
}

void Writer::run() {
  while (!stopped()) {
    Group group = next_group();
    write(group);
    if (!group.items.empty()) flusher_.hand_over(std::move(group));
    let_others_write();
  }
}

/// Who is told of a commit may commit again: so everybody is told before this is the end.
bool Writer::stopped() {
  const auto at_end = [this] {
    const std::lock_guard lock(mutex_);
    return stopping_ && queue_.empty();
  };
  if (!at_end()) return false;
  flusher_.settle();
  return at_end();
}

/// What is queued, in order, up to the bound. Blocks until there is something; empty when it is time to stop, or when
/// the idle moment serves to sweep the log.
Group Writer::next_group() {
  std::unique_lock lock(mutex_);
  wake_.wait(lock, [this] { return !queue_.empty() || stopping_ || sweep_.pending(); });
  Group group;
  for (std::size_t bytes = 0; !queue_.empty() && bytes < kMaxGroupBytes;) {
    bytes += queue_.front()->size_bytes();
    group.items.push_back({std::move(queue_.front()), {}});
    queue_.pop_front();
  }
  return group;
}

void Writer::write(Group& group) {
  const std::span<Item> items = group.items;
  if (items.empty() && !sweep_.pending()) return;
  if (const auto broken = flusher_.broken()) return refuse(items, *broken);
  if (attempt(items, group.transactions) == Ending::decided || items.size() < 2) {
    note_failures(items);
    return;
  }
  for (std::size_t index = 0; index < items.size(); ++index) {
    const auto alone = items.subspan(index, 1);
    attempt(alone, group.transactions);
    note_failures(alone);
  }
}

/// Nothing is written any more.
void Writer::refuse(std::span<Item> items, const Error& why) {
  sweep_.forget();
  for (Item& item : items) {
    item.outcome = fail(why);
    const Lease* const lease = item.work->lease();
    if (!lease) continue;
    broken_.note_failure(*lease, why);
    if (auto refused = broken_.refusal(*lease)) item.outcome = fail(*std::move(refused));
  }
}

/// One transaction for all of them. `rolled_back`: it failed in the middle and certainly did not happen; the
/// outcomes then say why, but each Work deserves a transaction of its own.
Writer::Ending Writer::attempt(std::span<Item> items, std::uint64_t& transactions) {
  if (Status begun = begin(); !begun) {
    sweep_.forget();
    for (Item& item : items) item.outcome = begun;
    return Ending::decided;
  }
  BrokenLeases broken_here;
  for (Item& item : items) {
    const std::int64_t before = db_->changes();
    item.outcome = apply(*item.work, broken_here);
    if (item.outcome) continue;
    if (db_->changes() != before || !db_->in_transaction()) return roll_back();
    if (const Lease* lease = item.work->lease()) broken_here.note_failure(*lease, item.outcome.error());
  }
  if (Status swept = sweep_.step(*db_); !swept) {
    sweep_.forget();
    if (!db_->in_transaction()) {
      for (Item& item : items)
        if (item.outcome) item.outcome = swept;
      return Ending::rolled_back;
    }
  }
  const Status committed = db_->execute("COMMIT");
  if (committed) {
    ++transactions;
    for (const Item& item : items)
      if (const auto partition = item.work->shortens_log(); partition && item.outcome) sweep_.note(*partition);
    return Ending::decided;
  }
  for (Item& item : items)
    if (item.outcome) item.outcome = committed;
  const Ending ending = roll_back();
  // With a full disk nothing was written. After any other failure the transaction may or may not be there: a second
  // one could write it twice.
  return committed.error().is(code::resource_exhausted) ? ending : Ending::decided;
}

/// Refuses what follows a failure of the same lease, in this group or before.
Status Writer::apply(Work& work, const BrokenLeases& broken_here) {
  if (const Lease* lease = work.lease())
    for (const BrokenLeases* broken : {&broken_here, &std::as_const(broken_)})
      if (auto refused = broken->refusal(*lease)) return fail(std::move(*refused));
  return work.apply(*db_);
}

Status Writer::begin() {
  MAPFLOW_TRY(db_->execute("BEGIN IMMEDIATE"));
  if (const std::int64_t version = data_version(*db_); version != data_version_) {
    data_version_ = version;
    others_wrote_ = std::chrono::steady_clock::now();
  }
  return {};
}

/// SQLite's lock knows no queue: a process that writes without a pause would keep it. While another one writes too,
/// both leave a gap after each transaction, and so take turns.
void Writer::let_others_write() const {
  if (std::chrono::steady_clock::now() - others_wrote_ < kOthersStayFor) std::this_thread::sleep_for(kOthersTurn);
}

Writer::Ending Writer::roll_back() {
  if (db_->in_transaction()) (void)db_->execute("ROLLBACK");  // the first error says more
  return Ending::rolled_back;
}

void Writer::note_failures(std::span<const Item> items) {
  for (const Item& item : items)
    if (const Lease* lease = item.work->lease(); lease && !item.outcome)
      broken_.note_failure(*lease, item.outcome.error());
}

}  // namespace mapflow::persistence::sqlite
