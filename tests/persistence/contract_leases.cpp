#include "persistence/contract.h"
#include "persistence/helpers.h"

namespace mapflow::persistence::testing {

void check_leases(const StoreFactory& make) {
  const auto tested = make();
  Store& store = tested->store();
  const Partition p0(0);

  SUBCASE("a running lease keeps other nodes out and tells them when to come back") {
    const Lease first = acquire(store, p0, "n1");
    CHECK(first.partition == p0);
    CHECK(first.node == "n1");
    CHECK(first.expires == kNow + kTtl);
    const auto refused = tested->other().acquire(p0, "n2", kTtl, kNow + 1s);
    REQUIRE(error_code(refused) == code::conflict);
    CHECK(refused.error().retry_after_us == Duration(4s).count());
    CHECK(tested->other().acquire(Partition(1), "n2", kTtl, kNow));
  }

  SUBCASE("after the expiry another node gets the partition under the next epoch") {
    const Lease first = acquire(store, p0, "n1");
    const Lease second = acquire(tested->other(), p0, "n2", kNow + kTtl);
    CHECK(second.epoch > first.epoch);
    CHECK(error_code(store.renew(first, kTtl, kNow + kTtl)) == code::fenced);
  }

  SUBCASE("a node takes its own running lease anew, as after a restart, and its old self is fenced") {
    const Lease before = acquire(store, p0, "n1");
    const Lease after = acquire(store, p0, "n1");
    CHECK(after.epoch > before.epoch);
    CHECK(error_code(commit(store, log_commit(before, "late"))) == code::fenced);
    CHECK(commit(store, log_commit(after, "x")));
  }

  SUBCASE("renewing moves the expiry, also of an expired lease that nobody took") {
    const Lease first = acquire(store, p0, "n1");
    const auto renewed = store.renew(first, kTtl, kNow + 3s);
    REQUIRE(renewed);
    CHECK(renewed->expires == kNow + 8s);
    CHECK(renewed->epoch == first.epoch);
    CHECK(error_code(tested->other().acquire(p0, "n2", kTtl, kNow + 6s)) == code::conflict);
    CHECK(store.renew(first, kTtl, kNow + 1h));
  }

  SUBCASE("a released partition is free at once, and its former owner is fenced") {
    const Lease first = acquire(store, p0, "n1");
    REQUIRE(store.release(first));
    CHECK(error_code(commit(store, log_commit(first, "x"))) == code::fenced);
    CHECK(error_code(store.renew(first, kTtl, kNow)) == code::fenced);
    const Lease second = acquire(tested->other(), p0, "n2");
    CHECK(second.epoch > first.epoch);
    CHECK(store.release(first));  // a lost lease: no error, and no harm to the new owner
    CHECK(commit(tested->other(), log_commit(second, "y")));
    CHECK(error_code(store.acquire(p0, "n1", kTtl, kNow)) == code::conflict);
  }

  SUBCASE("what was queued before a release still takes effect") {
    const Lease lease = acquire(store, p0);
    Outcomes outcomes;
    for (int number = 0; number < 20; ++number) store.commit(log_commit(lease, "x"), outcomes.done(number));
    REQUIRE(store.release(lease));
    for (const auto& [number, outcome] : outcomes.wait(20)) CHECK(outcome);
  }

  SUBCASE("leases lists the current lease of every partition that ever had one") {
    CHECK(store.leases()->empty());
    acquire(store, Partition(2), "old");
    const Lease taken = acquire(store, Partition(2), "new", kNow + 1h);
    const Lease released = acquire(store, p0, "n1");
    REQUIRE(store.release(released));
    const auto leases = tested->other().leases();
    REQUIRE(leases);
    REQUIRE(leases->size() == 2);
    CHECK(leases->at(0).partition == p0);
    CHECK(leases->at(0).expires == Timestamp{});
    CHECK(leases->at(1).epoch == taken.epoch);
    CHECK(leases->at(1).node == "new");
    CHECK(leases->at(1).expires == taken.expires);
  }

  SUBCASE("a notice is seen by everybody once the renewal returned, and stays with the node that left it") {
    using namespace std::string_literals;
    Lease lease = acquire(store, p0, "n1");
    const auto notice = [&] { return tested->other().leases().value().at(0).notice; };
    CHECK(notice().empty());
    lease.notice = "any bytes: \0\xff\n"s;
    REQUIRE(store.renew(lease, kTtl, kNow));
    CHECK(notice() == lease.notice);
    CHECK(commit(store, log_commit(lease, "x")));
    CHECK(notice() == lease.notice);
    lease.notice = std::string(kLongestNotice, '\x80');
    REQUIRE(store.renew(lease, kTtl, kNow));
    CHECK(notice() == lease.notice);
    lease.notice += 'x';
    CHECK(error_code(store.renew(lease, kTtl, kNow)) == code::invalid_input);
    CHECK(notice().size() == kLongestNotice);

    Lease again = acquire(store, p0, "n1");
    CHECK(again.notice.empty());
    CHECK(notice().size() == kLongestNotice);
    CHECK(error_code(store.renew(Lease(again.partition, lease.epoch, "n1", kNow), kTtl, kNow)) == code::fenced);
    CHECK(notice().size() == kLongestNotice);
    again.notice = "mine";
    REQUIRE(store.renew(again, kTtl, kNow));
    acquire(tested->other(), p0, "n2", kNow + 1h);
    CHECK(notice().empty());
  }

  SUBCASE("private partitions come after the shared ones and are given once") {
    REQUIRE(store.shared_partitions() > 0);
    const auto first = store.create_private_partition();
    const auto second = tested->other().create_private_partition();
    REQUIRE(first);
    REQUIRE(second);
    CHECK(first->value >= store.shared_partitions());
    CHECK(*second != *first);
    CHECK(tested->other().shared_partitions() == store.shared_partitions());
    const Lease lease = acquire(store, *first);
    CHECK(commit(store, log_commit(lease, "mine")));
    CHECK(log_texts(store, *first) == std::vector<std::string>{"mine"});
    CHECK(log_texts(store, *second).empty());
  }

  SUBCASE("a partition that does not exist is not found") {
    const Partition none(4000);
    CHECK(error_code(store.acquire(none, "n1", kTtl, kNow)) == code::not_found);
    CHECK(error_code(store.post(none, "x")) == code::not_found);
    CHECK_FALSE(commit(store, log_commit(Lease{none, Epoch(1), "n1", kNow}, "x")));
    CHECK(store.read_log(none, LogPosition(1), 100)->empty());
    CHECK(store.inbox(none, InboxPosition(0), 100)->empty());
  }

  SUBCASE("times at the far end do not overflow") {
    const auto forever = store.acquire(p0, "n1", Duration::max(), kNow);
    REQUIRE(forever);
    CHECK(forever->expires == kNever);
    CHECK(error_code(store.acquire(p0, "n2", kTtl, kNow + 1000h)) == code::conflict);
  }
}

}  // namespace mapflow::persistence::testing
