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

Writer::Writer(std::unique_ptr<Database> db) : db_(std::move(db)), data_version_(data_version(*db_)) {
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
    std::vector<Item> group = next_group();
    write(group);
    for (Item& item : group) item.work->finish(std::move(item.outcome));
    let_others_write();
  }
}

bool Writer::stopped() {
  const std::lock_guard lock(mutex_);
  return stopping_ && queue_.empty();
}

/// What is queued, in order, up to the bound. Blocks until there is something; empty when it is time to stop, or when
/// the idle moment serves to sweep the log.
std::vector<Writer::Item> Writer::next_group() {
  std::unique_lock lock(mutex_);
  wake_.wait(lock, [this] { return !queue_.empty() || stopping_ || sweep_.pending(); });
  std::vector<Item> group;
  for (std::size_t bytes = 0; !queue_.empty() && bytes < kMaxGroupBytes;) {
    bytes += queue_.front()->size_bytes();
    group.push_back({std::move(queue_.front()), {}});
    queue_.pop_front();
  }
  return group;
}

void Writer::write(std::span<Item> group) {
  if (group.empty() && !sweep_.pending()) return;
  if (attempt(group) == Ending::decided || group.size() < 2) {
    note_failures(group);
    return;
  }
  for (std::size_t index = 0; index < group.size(); ++index) {
    const auto alone = group.subspan(index, 1);
    attempt(alone);
    note_failures(alone);
  }
}

/// One transaction for the whole group. `rolled_back`: it failed in the middle and certainly did not happen; the
/// outcomes then say why, but each Work deserves a transaction of its own.
Writer::Ending Writer::attempt(std::span<Item> group) {
  if (Status begun = begin(); !begun) {
    sweep_.forget();
    for (Item& item : group) item.outcome = begun;
    return Ending::decided;
  }
  BrokenLeases broken_here;
  for (Item& item : group) {
    const std::int64_t before = db_->changes();
    item.outcome = apply(*item.work, broken_here);
    if (item.outcome) continue;
    if (db_->changes() != before || !db_->in_transaction()) return roll_back();
    if (const Lease* lease = item.work->lease()) broken_here.note_failure(*lease, item.outcome.error());
  }
  if (Status swept = sweep_.step(*db_); !swept) {
    sweep_.forget();
    if (!db_->in_transaction()) {
      for (Item& item : group)
        if (item.outcome) item.outcome = swept;
      return Ending::rolled_back;
    }
  }
  const Status committed = db_->execute("COMMIT");
  if (committed) {
    transactions_.fetch_add(1, std::memory_order_relaxed);
    for (const Item& item : group)
      if (const auto partition = item.work->shortens_log(); partition && item.outcome) sweep_.note(*partition);
    return Ending::decided;
  }
  for (Item& item : group)
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

void Writer::note_failures(std::span<const Item> group) {
  for (const Item& item : group)
    if (const Lease* lease = item.work->lease(); lease && !item.outcome)
      broken_.note_failure(*lease, item.outcome.error());
}

}  // namespace mapflow::persistence::sqlite
