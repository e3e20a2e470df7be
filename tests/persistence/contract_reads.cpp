#include <algorithm>

#include "persistence/contract.h"
#include "persistence/helpers.h"

namespace mapflow::persistence::testing {
namespace {

/// 40 instances, three to a moment of creation, with mixed properties.
std::vector<InstanceRow> mixed_rows(Partition partition) {
  std::vector<InstanceRow> rows;
  for (int number = 0; number < 40; ++number) {
    InstanceRow one = row("i" + std::to_string((number * 17) % 40 + 100), partition);
    one.created = kNow + Duration(number / 3);
    one.workflow = number % 2 ? "orders" : "reviews";
    one.state = number % 5 ? "running" : "completed";
    one.finished = one.state == "completed";
    one.correlation_id = number % 7 ? "" : "customer-" + std::to_string(number);
    if (number % 4 == 0) one.tags = {"urgent", "käse \"quoted\""};
    rows.push_back(one);
  }
  return rows;
}

std::vector<std::string> expected_ids(std::vector<InstanceRow> rows, const std::function<bool(const InstanceRow&)>& keep) {
  std::erase_if(rows, [&](const InstanceRow& one) { return !keep(one); });
  std::ranges::sort(rows, [](const InstanceRow& a, const InstanceRow& b) {
    return a.created != b.created ? a.created > b.created : a.id > b.id;
  });
  return ids(rows);
}

/// All pages of the query, checking that none is empty or too long.
std::vector<std::string> list_all(Store& store, ListQuery query) {
  std::vector<std::string> all;
  for (;;) {
    const auto page = store.list(query);
    REQUIRE(page);
    CHECK(page->rows.size() <= query.limit);
    for (const InstanceRow& one : page->rows) CHECK(one.snapshot.empty());
    const auto part = ids(page->rows);
    all.insert(all.end(), part.begin(), part.end());
    REQUIRE(all.size() <= 1000);  // a cursor that does not move would never end
    if (page->next_cursor.empty()) return all;
    CHECK(page->rows.size() == query.limit);
    query.cursor = page->next_cursor;
  }
}

void check_listing(Store& store, const Lease& lease) {
  auto rows = mixed_rows(lease.partition);
  for (InstanceRow& one : rows) one.snapshot = "snapshot";
  REQUIRE(commit(store, {.lease = lease, .rows = rows}));
  const auto is = [](auto member, std::string value) {
    return [=](const InstanceRow& one) { return one.*member == value; };
  };
  CHECK(list_all(store, {}) == expected_ids(rows, [](auto&) { return true; }));
  for (std::size_t limit : {1, 2, 7, 40}) CHECK(list_all(store, {.limit = limit}) == list_all(store, {}));
  CHECK(list_all(store, {.workflow = "orders", .limit = 3}) == expected_ids(rows, is(&InstanceRow::workflow, "orders")));
  CHECK(list_all(store, {.state = "completed"}) == expected_ids(rows, is(&InstanceRow::state, "completed")));
  const auto quoted = [](const InstanceRow& one) { return !one.tags.empty(); };
  CHECK(list_all(store, {.tag = "käse \"quoted\"", .limit = 4}) == expected_ids(rows, quoted));
  CHECK(list_all(store, {.tag = "käse"}).empty());
  const auto with_text = [](const InstanceRow& one) {
    return one.id.find("13") != std::string::npos || one.correlation_id.find("13") != std::string::npos;
  };
  CHECK(list_all(store, {.text = "13"}) == expected_ids(rows, with_text));
  CHECK(list_all(store, {.text = "customer-"}).size() == 6);
  CHECK(list_all(store, {.text = "%"}).empty());
  const auto both = [](const InstanceRow& one) { return one.workflow == "orders" && one.state == "running"; };
  CHECK(list_all(store, {.workflow = "orders", .state = "running", .limit = 5}) == expected_ids(rows, both));
  CHECK(error_code(store.list({.cursor = "no cursor"})) == code::invalid_input);

  InstanceRow moved = rows[0];
  moved.created = kNow + 1h;
  moved.state = "failed";
  REQUIRE(commit(store, {.lease = lease, .rows = {moved}}));
  CHECK(store.list({.limit = 1})->rows.front().id == moved.id);
  CHECK(list_all(store, {}).size() == rows.size());
  CHECK(list_all(store, {.state = "failed"}) == std::vector<std::string>{moved.id});
}

void check_unfinished(Store& store, const Lease& lease) {
  const Lease elsewhere = acquire(store, Partition(1));
  REQUIRE(commit(store, {.lease = elsewhere, .rows = {row("i100x", Partition(1))}}));
  auto rows = mixed_rows(lease.partition);
  for (InstanceRow& one : rows) one.snapshot = "state of " + one.id;
  REQUIRE(commit(store, {.lease = lease, .rows = rows}));
  std::erase_if(rows, &InstanceRow::finished);
  std::ranges::sort(rows, {}, &InstanceRow::id);
  std::vector<std::string> found;
  for (std::string after;;) {
    const auto page = store.unfinished(lease.partition, after, 7);
    REQUIRE(page);
    if (page->empty()) break;
    for (const InstanceRow& one : *page) {
      found.push_back(one.id);
      CHECK(one.snapshot == "state of " + one.id);
    }
    after = found.back();
    REQUIRE(found.size() <= 1000);
  }
  CHECK(found == ids(rows));
  InstanceRow ended = rows.front();
  ended.finished = true;
  REQUIRE(commit(store, {.lease = lease, .rows = {ended}}));
  CHECK(store.unfinished(lease.partition, "", 1)->front().id == rows.at(1).id);
}

}  // namespace

void check_reads(const StoreFactory& make) {
  const auto tested = make();
  Store& store = tested->store();
  const Partition p0(0);
  const Lease lease = acquire(store, p0);
  const std::string every_byte = [] {
    std::string bytes;
    for (int byte = 0; byte < 256; ++byte) bytes += static_cast<char>(byte);
    return bytes;
  }();

  SUBCASE("a row reads back as it was written, and is replaced as a whole") {
    InstanceRow full{.id = "ünïcode/1",
                     .partition = p0,
                     .workflow = "orders",
                     .version = "1.2",
                     .definition = "hash",
                     .state = "waiting",
                     .finished = false,
                     .parent = "p",
                     .correlation_id = "c",
                     .tags = {"a", "", "it's"},
                     .created = kNow,
                     .updated = kNow + 1s,
                     .wake_at = kNow + 1h,
                     .seq = 12,
                     .snapshot = every_byte};
    REQUIRE(commit(store, {.lease = lease, .rows = {full}}));
    const auto check_same = [&](const InstanceRow& expected) {
      const auto found = tested->other().instance(expected.id);
      REQUIRE(found);
      CHECK(found->id == expected.id);
      CHECK(found->partition == expected.partition);
      CHECK(found->workflow == expected.workflow);
      CHECK(found->version == expected.version);
      CHECK(found->definition == expected.definition);
      CHECK(found->state == expected.state);
      CHECK(found->finished == expected.finished);
      CHECK(found->parent == expected.parent);
      CHECK(found->correlation_id == expected.correlation_id);
      CHECK(found->tags == expected.tags);
      CHECK(found->created == expected.created);
      CHECK(found->updated == expected.updated);
      CHECK(found->wake_at == expected.wake_at);
      CHECK(found->seq == expected.seq);
      CHECK(found->snapshot == expected.snapshot);
    };
    check_same(full);
    InstanceRow emptier{.id = full.id, .partition = p0, .finished = true};
    REQUIRE(commit(store, {.lease = lease, .rows = {emptier}}));
    check_same(emptier);
  }

  SUBCASE("of two rows with one id in a commit the later one counts") {
    REQUIRE(commit(store, {.lease = lease, .rows = {row("a", p0, 1), row("a", p0, 2)}}));
    CHECK(store.instance("a")->seq == 2);
    CHECK(store.list({})->rows.size() == 1);
  }

  SUBCASE("what was never written is not found") {
    CHECK(error_code(store.instance("nobody")) == code::not_found);
    CHECK(error_code(store.definition("nothing")) == code::not_found);
    CHECK(store.history("nobody")->empty());
    CHECK(store.unfinished(p0, "", 10)->empty());
    CHECK(store.list({})->rows.empty());
    CHECK(store.list({})->next_cursor.empty());
  }

  SUBCASE("log blobs are any bytes of any size, read in portions") {
    const std::string large(300'000, 'x');
    for (const std::string& blob : {every_byte, large, std::string(1, '\0')})
      REQUIRE(commit(store, log_commit(lease, blob)));
    CHECK(log_texts(tested->other(), p0) == std::vector<std::string>{every_byte, large, std::string(1, '\0')});
    CHECK(store.read_log(p0, LogPosition(1), 1)->size() == 1);
    CHECK(store.read_log(p0, LogPosition(2), 10)->size() == 1);
    CHECK(store.read_log(p0, LogPosition(1), 300'256)->size() == 2);
    CHECK(store.read_log(p0, LogPosition(3), 10)->front().position.value == 3);
    CHECK(store.read_log(p0, LogPosition(4), 10)->empty());
    CHECK(store.read_log(Partition(1), LogPosition(1), 10)->empty());
  }

  SUBCASE("lists are newest first, in stable pages, by any filter") { check_listing(store, lease); }
  SUBCASE("unfinished instances come by id, with their snapshots") { check_unfinished(store, lease); }

  SUBCASE("a page does not shift when instances are added") {
    REQUIRE(commit(store, {.lease = lease, .rows = mixed_rows(p0)}));
    const auto all = list_all(store, {});
    const auto first = store.list({.limit = 10});
    InstanceRow newer = row("newer", p0);
    newer.created = kNow + 1h;
    REQUIRE(commit(store, {.lease = lease, .rows = {newer}}));
    const auto second = store.list({.cursor = first->next_cursor, .limit = 10});
    CHECK(ids(second->rows) == std::vector<std::string>(all.begin() + 10, all.begin() + 20));
  }

  SUBCASE("finished instances are dropped with their history, as far as they are still what the caller knows") {
    std::vector<InstanceRow> rows = {row("ended", p0, 3), row("changed", p0, 3), row("running", p0, 3), row("elsewhere", p0, 3)};
    Commit full{.lease = lease, .rows = rows};
    for (InstanceRow& one : full.rows) {
      one.finished = one.id != "running";
      full.history.push_back({one.id, 1, 3, "records"});
    }
    REQUIRE(commit(store, full));
    rows[1].seq = 2;
    rows[3].partition = Partition(1);
    rows.push_back(row("nobody", p0));
    const auto erased = tested->other().erase(rows);
    CHECK(*erased == 1);
    CHECK(error_code(store.instance("ended")) == code::not_found);
    CHECK(store.history("ended")->empty());
    CHECK(store.list({})->rows.size() == 3);
    for (const char* id : {"changed", "running", "elsewhere"}) {
      CHECK(store.instance(id)->seq == 3);
      CHECK(store.history(id)->size() == 1);
    }
    CHECK(*store.erase(rows) == 0);
    REQUIRE(commit(store, {.lease = lease, .rows = {row("ended", p0, 1)}}));  // its id may be given again
    CHECK(store.history("ended")->empty());
  }

  SUBCASE("history chunks read back in order, short and long, and a rewritten one counts once") {
    std::string noise;
    for (std::uint32_t state = 1; noise.size() < 5000;) noise += static_cast<char>((state = state * 1664525 + 1013904223) >> 24);
    const std::string text(100'000, 'r');
    REQUIRE(commit(store, {.lease = lease, .history = {{"a", 11, 20, text}, {"a", 1, 10, every_byte}, {"b", 1, 1, ""}}}));
    REQUIRE(commit(store, {.lease = lease, .history = {{"a", 21, 22, noise}, {"a", 11, 20, text}}}));
    const auto chunks = tested->other().history("a");
    REQUIRE(chunks);
    REQUIRE(chunks->size() == 3);
    CHECK(chunks->at(0).records == every_byte);
    CHECK(chunks->at(1).records == text);
    CHECK(chunks->at(1).first_seq == 11);
    CHECK(chunks->at(1).last_seq == 20);
    CHECK(chunks->at(2).records == noise);
    CHECK(chunks->at(2).instance == "a");
    CHECK(store.history("b")->size() == 1);
  }

  SUBCASE("a definition is kept once per hash") {
    REQUIRE(commit(store, {.lease = lease, .definitions = {{"h", "orders", "1", "{\"a\":1}"}}}));
    REQUIRE(commit(store, {.lease = lease, .definitions = {{"h", "other", "2", "{}"}, {"g", "x", "1", "[]"}}}));
    const auto found = tested->other().definition("h");
    REQUIRE(found);
    CHECK(found->workflow == "orders");
    CHECK(found->version == "1");
    CHECK(found->document == "{\"a\":1}");
    CHECK(store.definition("g"));
    const auto all = tested->other().definitions("", 10);
    REQUIRE(all->size() == 2);
    CHECK(all->at(0).hash == "g");
    CHECK(all->at(1).document == "{\"a\":1}");
    CHECK(store.definitions("", 1)->size() == 1);
    CHECK(store.definitions("g", 10)->front().hash == "h");
  }

  SUBCASE("the inbox keeps commands in order until a commit is done with them") {
    REQUIRE(store.post(Partition(1), "other partition"));
    std::vector<InboxPosition> positions;
    for (int number = 0; number < 5; ++number) {
      Store& poster = number % 2 ? store : tested->other();
      const auto position = poster.post(p0, number == 2 ? every_byte : std::to_string(number));
      REQUIRE(position);
      if (!positions.empty()) CHECK(*position > positions.back());
      positions.push_back(*position);
    }
    const auto all = store.inbox(p0, InboxPosition(0), 100);
    REQUIRE(all->size() == 5);
    CHECK(all->at(2).command == every_byte);
    CHECK(all->at(4).position == positions.at(4));
    CHECK(store.inbox(p0, positions.at(1), 2)->front().command == every_byte);
    CHECK(store.inbox(p0, positions.at(1), 2)->size() == 2);

    REQUIRE(commit(store, {.lease = lease, .inbox_through = positions.at(3)}));
    CHECK(store.inbox(p0, InboxPosition(0), 100)->front().command == "4");
    REQUIRE(commit(store, {.lease = lease, .inbox_through = positions.at(4)}));
    CHECK(store.inbox(p0, InboxPosition(0), 100)->empty());
    CHECK(store.inbox(Partition(1), InboxPosition(0), 100)->size() == 1);
    CHECK(*store.post(p0, "next") > positions.at(4));
  }
}

}  // namespace mapflow::persistence::testing
