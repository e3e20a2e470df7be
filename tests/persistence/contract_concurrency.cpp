#include <atomic>
#include <thread>

#include "persistence/contract.h"
#include "persistence/helpers.h"

namespace mapflow::persistence::testing {

void check_concurrency(const StoreFactory& make) {
  const auto tested = make();
  Store& store = tested->store();
  const Partition p0(0);

  SUBCASE("threads that write partitions of their own do not disturb each other") {
    constexpr int kThreads = 4, kCommits = 60;
    std::vector<std::thread> threads;
    std::vector<Outcomes> outcomes(kThreads);
    for (int number = 0; number < kThreads; ++number)
      threads.emplace_back([&, number] {
        const Partition mine(static_cast<std::uint32_t>(number));
        const auto lease = store.acquire(mine, "n" + std::to_string(number), kTtl, kNow);
        for (int step = 0; step < kCommits; ++step) {
          Commit commit = log_commit(*lease, std::to_string(step));
          commit.rows.push_back(row("i" + std::to_string(number), mine, static_cast<std::uint64_t>(step)));
          store.commit(std::move(commit), outcomes[static_cast<std::size_t>(number)].done(step));
          if (step % 20 == 0) CHECK(store.post(mine, "x"));
        }
      });
    for (std::thread& thread : threads) thread.join();
    for (int number = 0; number < kThreads; ++number) {
      for (const auto& [step, outcome] : outcomes[static_cast<std::size_t>(number)].wait(kCommits)) {
        REQUIRE(outcome);
        CHECK(outcome->value == static_cast<std::uint64_t>(step) + 1);
      }
      CHECK(log_texts(store, Partition(static_cast<std::uint32_t>(number))).size() == kCommits);
      CHECK(store.instance("i" + std::to_string(number))->seq == kCommits - 1);
    }
  }

  SUBCASE("a reader never sees half a commit, nor misses one that was acknowledged") {
    const Lease lease = acquire(store, p0);
    std::atomic<std::uint64_t> acknowledged = 0;
    std::atomic<bool> stop = false;
    std::thread writer([&] {
      for (std::uint64_t seq = 1; !stop && seq <= 400; ++seq) {
        Commit both = log_commit(lease, std::to_string(seq));
        both.rows = {row("a", p0, seq), row("b", p0, seq)};
        if (commit(store, std::move(both))) acknowledged = seq;
      }
      stop = true;
    });
    Store& reader = tested->other();
    while (!stop) {
      const std::uint64_t before = acknowledged;
      const auto page = reader.list({});
      REQUIRE(page);
      if (page->rows.empty()) {
        CHECK(before == 0);
        continue;
      }
      REQUIRE(page->rows.size() == 2);
      const std::uint64_t seq = page->rows[0].seq;
      CHECK(page->rows[1].seq == seq);
      CHECK(seq >= before);
      const auto log = reader.read_log(p0, LogPosition(1), 1 << 20);
      REQUIRE(log);
      CHECK(log->size() >= seq);                         // the row's own log entry came with it
      CHECK(reader.instance("a")->seq >= log->size());   // and the other way round
      if (log->size() > 200) stop = true;
    }
    writer.join();
  }

  SUBCASE("two owners of one partition never both write") {
    Outcomes first, second;
    const Lease old_lease = acquire(store, p0, "n1");
    std::thread late([&] {
      for (int number = 0; number < 50; ++number) store.commit(log_commit(old_lease, "old"), first.done(number));
    });
    const Lease new_lease = acquire(tested->other(), p0, "n2", kNow + 1h);
    const auto found = log_texts(tested->other(), p0).size();
    for (int number = 0; number < 50; ++number)
      tested->other().commit(log_commit(new_lease, "new"), second.done(number));
    late.join();
    std::size_t accepted = 0;
    for (const auto& [number, outcome] : first.wait(50)) {
      if (outcome) ++accepted;
      else CHECK(outcome.error().is(code::fenced));
    }
    CHECK(accepted == found);  // nothing of the old owner came after the new one had the partition
    for (const auto& [number, outcome] : second.wait(50)) CHECK(outcome);
    CHECK(log_texts(store, p0).size() == found + 50);
  }

  SUBCASE("the destructor carries out what is queued") {
    const auto own = make();
    const Lease lease = acquire(own->store(), p0);
    Outcomes outcomes;
    {
      const auto short_lived = make();
      const Lease short_lease = acquire(short_lived->store(), p0);
      for (int number = 0; number < 50; ++number)
        short_lived->store().commit(log_commit(short_lease, "x"), outcomes.done(number));
    }
    for (const auto& [number, outcome] : outcomes.wait(50)) CHECK(outcome);
    CHECK(commit(own->store(), log_commit(lease, "x")));
  }
}

}  // namespace mapflow::persistence::testing
