#include "sim/client.h"

#include <utility>

namespace mapflow::sim {

Client::Client(World& world, Watcher& watcher, const Generated& plan, std::string id, Habits habits, std::function<Node*()> choose)
    : world_(world), watcher_(watcher), plan_(plan), id_(std::move(id)), habits_(habits), choose_(std::move(choose)) {}

void Client::begin() {
  engine::StartDemand demand;
  demand.start.id = id_;
  demand.start.input = plan_.scenario.input;
  demand.id_given = true;
  wish(Duration(world_.chance().between(0, 500'000)), std::move(demand));
}

void Client::wish(Duration from_now, engine::Demand demand) {
  ++open_;
  auto made = std::make_shared<Wish>(Wish{std::move(demand), false, false});
  made->starts = std::holds_alternative<engine::StartDemand>(made->demand);
  world_.after(from_now, [this, made] { attempt(made); });
}

void Client::attempt(const WishPtr& wish) {
  if (wish->done) return;
  if (Node* node = choose_()) {
    engine::Demand demand = wish->demand;
    if (auto* start = std::get_if<engine::StartDemand>(&demand)) start->program = node->program();
    node->ask(id_, std::move(demand), [this, wish](Result<Value> value, bool posted) { answered(wish, value, posted); });
  }
  // Without an answer it asks again, perhaps somebody else: that is how requests come twice.
  world_.after(Duration(world_.chance().between(100'000, 1'500'000)), [this, wish] { attempt(wish); });
}

void Client::answered(const WishPtr& wish, const Result<Value>& value, bool posted) {
  if (!value) {
    const Error& error = value.error();
    if (wish->starts && error.is(code::conflict)) watcher_.problem("a start is refused: " + error.to_string());
    const bool no_such_place = error.is(code::not_found) && std::holds_alternative<kernel::Rewind>(wish->demand);
    if (wish->starts || !(error.is(code::invalid_state) || no_such_place)) return;  // it will ask again
  } else if (!posted) {
    // What the owner itself has acknowledged is durable now.
    const Witnessed* known = watcher_.instance(id_);
    if (!known) return watcher_.problem("a request is acknowledged for an instance that is not durable: " + id_);
    if (const auto* signal = std::get_if<kernel::Signal>(&wish->demand)) {
      const auto received = known->received.find(signal->name);
      if (received == known->received.end() || received->second < ++acknowledged_[signal->name])
        watcher_.problem("signal " + signal->name + " is acknowledged, but not durable");
    }
  }
  if (std::exchange(wish->done, true)) return;
  --open_;
  if (wish->starts) started();
}

void Client::started() {
  Chance& chance = world_.chance();
  for (const auto& [name, count] : plan_.expected.signals)
    for (std::uint32_t copy = 0; copy < count; ++copy)
      wish(Duration(chance.between(0, 3'000'000)), kernel::Signal{name, plan_.scenario.script.payload(name)});
  if (habits_.holds)
    for (std::uint64_t times = chance.below(3); times > 0; --times) wish(Duration(chance.between(0, 4'000'000)), kernel::Pause{"by chance"});
  if (habits_.rewinds) wish_for_rewinds();
  if (!habits_.cancels) return;
  const Duration when(chance.between(0, chance.percent(50) ? 300'000 : 6'000'000));
  if (chance.percent(70)) wish(when, kernel::Cancel{"changed my mind"});
  else wish(when, kernel::Terminate{"at once"});
}

void Client::wish_for_rewinds() {
  Chance& chance = world_.chance();
  for (std::int64_t times = chance.between(1, 2); times > 0; --times) {
    kernel::Rewind rewind;
    if (chance.percent(30)) {
      rewind.place.checkpoint = "by chance";
      wish(Duration(chance.between(0, 3'000'000)), kernel::MakeCheckpoint{"by chance"});
    } else {
      rewind.place.before = "s" + std::to_string(chance.between(1, 12));
    }
    wish(Duration(chance.between(0, chance.percent(50) ? 2'000'000 : 8'000'000)), std::move(rewind));
  }
}

void Client::signal_again(const std::string& name) {
  if (Node* node = choose_()) node->ask(id_, kernel::Signal{name, plan_.scenario.script.payload(name)}, [](Result<Value>, bool) {});
}

void Client::resume() {
  if (Node* node = choose_()) node->ask(id_, kernel::Resume{}, [](Result<Value>, bool) {});
}

}  // namespace mapflow::sim
