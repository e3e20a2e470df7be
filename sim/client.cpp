#include "sim/client.h"

#include <utility>

namespace mapflow::sim {

Client::Client(World& world, Watcher& watcher, const Generated& plan, std::string id, Habits habits, std::function<Node*()> choose)
    : world_(world), watcher_(watcher), plan_(plan), id_(std::move(id)), habits_(habits), choose_(std::move(choose)) {}

void Client::begin(const std::string& former) {
  engine::StartDemand demand;
  demand.start.id = id_;
  demand.start.input = plan_.scenario.input;
  demand.id_given = true;
  const Duration from_now(former.empty() ? world_.chance().between(0, 500'000) : world_.chance().between(500'000, 6'000'000));
  wish(from_now, std::move(demand), former);
}

void Client::wish(Duration from_now, engine::Demand demand, std::string former) {
  ++open_;
  auto made = std::make_shared<Wish>(Wish{std::move(demand), false, false, std::move(former)});
  made->starts = std::holds_alternative<engine::StartDemand>(made->demand);
  world_.after(from_now, [this, made] { attempt(made); });
}

void Client::attempt(const WishPtr& wish) {
  if (wish->done) return;
  if (Node* node = choose_()) {
    auto told = [this, wish](Result<Value> value, bool posted) { answered(wish, value, posted); };
    engine::Demand demand = wish->demand;
    if (auto* start = std::get_if<engine::StartDemand>(&demand)) {
      start->program = node->program();
      start->library = node->library();
    }
    if (wish->former.empty()) node->ask(id_, std::move(demand), std::move(told));
    else node->rerun(wish->former, id_, std::move(told));
  }
  // Without an answer it asks again, perhaps somebody else: that is how requests come twice.
  world_.after(Duration(world_.chance().between(100'000, 1'500'000)), [this, wish] { attempt(wish); });
}

void Client::answered(const WishPtr& wish, const Result<Value>& value, bool posted) {
  if (!value) {
    const Error& error = value.error();
    if (wish->starts && error.is(code::conflict)) watcher_.problem("a start is refused: " + error.to_string());
    if (!is_final(*wish, error)) return;  // it will ask again
  } else if (posted && wish->starts && may_be_rejected()) {
    return;  // nobody is told that a start out of the inbox found no place: it will ask again until the owner says so
  } else if (!posted) {
    // What the owner itself has acknowledged is durable now.
    const Witnessed* known = watcher_.instance(id_);
    if (!known) return watcher_.problem("a request is acknowledged for an instance that is not durable: " + id_);
    check_acknowledged(wish->demand);
  }
  if (std::exchange(wish->done, true)) return;
  --open_;
  if (wish->starts) started();
}

bool Client::is_final(const Wish& wish, const Error& error) const {
  if (wish.starts) return false;
  if (error.is(code::invalid_state)) return true;
  const engine::Demand& demand = wish.demand;
  const bool names_a_place = std::holds_alternative<kernel::Rewind>(demand) || std::holds_alternative<kernel::Retry>(demand) ||
                             std::holds_alternative<kernel::Skip>(demand);
  return names_a_place && (error.is(code::not_found) || error.is(code::conflict));
}

bool Client::may_be_rejected() const {
  const std::optional<Concurrency>& rules = plan_.scenario.definition.concurrency;
  return rules && rules->on_conflict == OnConflict::reject;
}

/// What the owner itself has acknowledged is durable now.
void Client::check_acknowledged(const engine::Demand& demand) {
  const Witnessed& known = *watcher_.instance(id_);
  if (const auto* signal = std::get_if<kernel::Signal>(&demand)) {
    const auto received = known.received.find(signal->name);
    if (received == known.received.end() || received->second < ++acknowledged_[signal->name])
      watcher_.problem("signal " + signal->name + " is acknowledged, but not durable");
  } else if (const auto* update = std::get_if<kernel::Update>(&demand)) {
    if (update->variables.is_object())
      for (const auto& [name, value] : update->variables.as_object())
        if (!known.updated.contains(std::string(name.view()))) watcher_.problem(id_ + ": an update is acknowledged, but not durable");
  } else if (const auto* skip = std::get_if<kernel::Skip>(&demand)) {
    if (!known.skipped.contains(skip->step)) watcher_.problem(id_ + ": a skip is acknowledged, but not durable: " + skip->step);
  }
}

void Client::started() {
  Chance& chance = world_.chance();
  for (const auto& [name, count] : plan_.expected.signals)
    for (std::uint32_t copy = 0; copy < count; ++copy)
      wish(Duration(chance.between(0, 3'000'000)), kernel::Signal{name, plan_.scenario.script.payload(name)});
  if (habits_.holds)
    for (std::uint64_t times = chance.below(3); times > 0; --times) wish(Duration(chance.between(0, 4'000'000)), kernel::Pause{"by chance"});
  if (habits_.rewinds) wish_for_rewinds();
  if (habits_.mends)
    for (std::int64_t times = chance.between(1, 6); times > 0; --times) mend_later(Duration(chance.between(0, 8'000'000)));
  if (!habits_.cancels) return;
  const Duration when(chance.between(0, chance.percent(50) ? 300'000 : 6'000'000));
  if (chance.percent(70)) wish(when, kernel::Cancel{"changed my mind"});
  else wish(when, kernel::Terminate{"at once"});
}

void Client::wish_for_rewinds() {
  Chance& chance = world_.chance();
  for (std::int64_t times = chance.between(1, 2); times > 0; --times) {
    kernel::Rewind rewind;
    if (chance.percent(15)) {  // that a step makes, perhaps
      rewind.place.checkpoint = "at_s" + std::to_string(chance.between(1, 12));
    } else if (chance.percent(30)) {
      rewind.place.checkpoint = "by chance";
      wish(Duration(chance.between(0, 3'000'000)), kernel::MakeCheckpoint{"by chance"});
    } else {
      rewind.place.before = "s" + std::to_string(chance.between(1, 12));
    }
    wish(Duration(chance.between(0, chance.percent(50) ? 2'000'000 : 8'000'000)), std::move(rewind));
  }
}

/// Asks for something that suits how the instance stands by then.
void Client::mend_later(Duration from_now) {
  ++open_;
  world_.after(from_now, [this] {
    --open_;
    if (world_.chance().percent(30)) wish(Duration(0), kernel::Pause{"to mend it"});
    wish(Duration(world_.chance().between(0, 400'000)), mending());
  });
}

engine::Demand Client::mending() {
  Chance& chance = world_.chance();
  const std::vector<std::string> alive = watcher_.living_steps(id_);
  const std::string step = alive.empty() ? "s1" : chance.pick(alive);
  switch (chance.below(9)) {
    case 0: return kernel::Retry{};
    case 1: return kernel::Retry{step};
    case 2:
    case 3: return kernel::Skip{step, Value(7)};
    case 4: return kernel::Update{object({{"by_hand", chance.between(0, 9)}})};
    case 5: return kernel::Update{Value(), Budget{.tokens = 10'000, .steps = 1'000}};
    case 6: return kernel::Debug{chance.percent(80), {"s" + std::to_string(chance.between(1, 9))}};
    case 7: return kernel::StepOnce{};
    default: return kernel::Signal{"go_s" + std::to_string(chance.between(1, 9)), Value(1)};
  }
}

void Client::end_it(bool at_once) {
  Node* const node = choose_();
  if (!node) return;
  if (at_once) node->ask(id_, kernel::Terminate{"it takes too long"}, [](Result<Value>, bool) {});
  else node->ask(id_, kernel::Cancel{"it takes too long"}, [](Result<Value>, bool) {});
}

void Client::signal_again(const std::string& name) {
  if (Node* node = choose_()) node->ask(id_, kernel::Signal{name, plan_.scenario.script.payload(name)}, [](Result<Value>, bool) {});
}

void Client::resume() {
  if (Node* node = choose_()) node->ask(id_, kernel::Resume{}, [](Result<Value>, bool) {});
}

}  // namespace mapflow::sim
