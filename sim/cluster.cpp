#include "sim/cluster.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <memory>

#include "engine/recovery.h"
#include "engine/stored_instance.h"
#include "kernel/codec.h"
#include "kernel/history.h"
#include "persistence/faulty.h"
#include "persistence/memory.h"
#include "sim/client.h"
#include "sim/kinds.h"
#include "sim/node.h"
#include "sim/respondents.h"
#include "testing/reenact.h"
#include "value/json.h"

namespace mapflow::sim {

namespace {

using namespace persistence;

/// After so many owners a partition is left in peace: a call that is made again ten times counts as poison.
constexpr std::uint64_t kMostOwners = 6;
constexpr std::uint64_t kMostActions = 2'000'000;
/// So long after the last fault somebody cancels, and then terminates, what nobody could foresee the end of.
constexpr Duration kEndAfter = std::chrono::seconds(30);
constexpr Duration kAtOnceAfter = std::chrono::seconds(120);

class Cluster {
 public:
  explicit Cluster(const ClusterPlan& plan)
      : plan_(plan), chance_(mix(plan.seed, "cluster")), world_(plan.seed),
        faults_(plan.swarm ? swarm(plan.faults, Chance(mix(plan.seed, "swarm"))) : plan.faults),
        mends_(faults_.contains(Fault::mend) && chance_.percent(25)),
        cancels_(faults_.contains(Fault::cancel) && chance_.percent(15)),
        rewinds_((mends_ || !cancels_) && faults_.contains(Fault::rewind) && chance_.percent(25)),
        generated_(scenario()),
        kinds_(make_kinds()) {}

  ClusterOutcome run() {
    if (!set_up()) return outcome();
    while (watcher_->problems().empty() && !everybody_content()) {
      respondents_->rest(false);
      while (watcher_->problems().empty() && !everybody_content()) act();
      quiet_ = true;
      respondents_->rest(true);
      wait_for_nodes();
      run_for(std::chrono::seconds(4));  // a request that was sent twice may still be on its way, and bring somebody back
    }
    stop_nodes();
    if (watcher_->problems().empty()) judge_everything();
    return outcome();
  }

 private:
  // --- setting up ---
  Generated scenario() const;
  bool set_up();
  engine::ShardOptions shard_options();
  std::shared_ptr<Store> reach_store();
  StoreDecision decide(const StoreOperation& operation);

  // --- running ---
  void act();
  void perhaps_a_fault();
  void take_down(Node& node);
  void look_after_held();
  void look_after_children();
  void look_after_mended(Client& client, const Witnessed& known);
  bool everybody_content() const;
  bool inboxes_are_empty() const;
  bool calm() const;
  void run_for(Duration span);
  void wait_for_nodes();
  void wait_until(const std::function<bool()>& done);
  void stop_nodes();

  // --- the end ---
  void judge_everything();
  void judge_store();
  void replay_journals();
  ClusterOutcome outcome() const;

  bool has(Fault fault) const { return faults_.contains(fault); }
  Node* choose_node();
  void say(const std::string& line) const {
    if (plan_.verbose) fmt::print("{:>12.3f} {}\n", static_cast<double>((world_.now() - began_).count()) / 1e3, line);
  }

  const ClusterPlan plan_;
  Chance chance_;
  World world_;
  const Timestamp began_ = world_.now();
  const Faults faults_;
  const bool mends_;
  const bool cancels_;
  const bool rewinds_;
  const Generated generated_;
  const std::unique_ptr<kernel::KindRegistry> kinds_;
  engine::ProgramPtr program_;
  std::shared_ptr<Store> memory_, watched_;
  std::unique_ptr<Watcher> watcher_;
  std::unique_ptr<NodePlan> node_plan_;
  std::vector<std::unique_ptr<Node>> nodes_;
  std::vector<std::unique_ptr<Client>> clients_;
  std::unique_ptr<Respondents> respondents_;
  Timestamp storm_ends_{};
  bool quiet_ = false;
  std::size_t booting_ = 0;  ///< nodes that were taken down and are not back yet
  std::uint64_t crashes_ = 0;
};

// --- setting up ---------------------------------------------------------------------------------------------------

engine::ShardOptions Cluster::shard_options() {
  engine::ShardOptions options;
  options.turn_inputs = static_cast<std::size_t>(chance_.percent(50) ? chance_.between(1, 4) : 4096);
  options.commits_in_flight = static_cast<std::size_t>(chance_.between(1, 3));
  options.rows_at_once = chance_.percent(30);
  if (chance_.percent(45)) options.instance_bytes = chance_.percent(50) ? 0 : static_cast<std::size_t>(chance_.between(0, 20'000));
  options.row_delay = Duration(chance_.between(50'000, 900'000));
  options.inbox_poll = Duration(chance_.between(100'000, 600'000));
  if (chance_.percent(60)) {  // small, so that snapshots and truncation come often
    options.checkpoint_log_bytes = static_cast<std::size_t>(chance_.between(200, 8'000));
    options.checkpoint_instance_bytes = static_cast<std::size_t>(chance_.between(100, 4'000));
    options.truncate_bytes = static_cast<std::size_t>(chance_.between(1, 2'000));
    if (chance_.percent(30)) options.history_bytes = static_cast<std::size_t>(chance_.between(100, 4'000));
  }
  return options;
}

Generated Cluster::scenario() const {
  Generated made = generate(plan_.seed, {.most_steps = 20, .longest = std::chrono::minutes(15), .for_cancel = cancels_, .foreseen = !mends_});
  if (plan_.sabotage == Sabotage::blind_expect)
    every_step(made.scenario.definition.steps, [](Step& step) {
      if (step.type == "message") step.fields.erase("expect");
    });
  return made;
}

bool Cluster::set_up() {
  memory_ = make_memory_store({.shared_partitions = static_cast<std::uint32_t>(chance_.between(2, 5))});
  engine::ProgramCache programs(*kinds_, *memory_);
  std::vector<engine::ProgramPtr> children;
  for (const Definition& each : generated_.scenario.children)
    if (auto child = programs.add(each)) children.push_back(*std::move(child));
  auto program = programs.add(generated_.scenario.definition);
  if (!program) {
    watcher_ = std::make_unique<Watcher>(nullptr);
    watcher_->problem("the definition does not compile: " + program.error().to_string());
    return false;
  }
  program_ = *std::move(program);
  watcher_ = std::make_unique<Watcher>(program_, std::move(children), mends_);
  if (plan_.verbose) {
    watcher_->trace = [this](const kernel::Program& of, const kernel::State& before, const kernel::Record& record) {
      say("  " + before.id + " " + to_json(kernel::describe(of, before, record).to_value()));
    };
  }
  watched_ = make_watched_store(memory_, *watcher_);
  node_plan_ = std::make_unique<NodePlan>(NodePlan{world_, *watcher_, *kinds_, generated_.scenario,
                                                   {has(Fault::late_reply), has(Fault::busy_workers),
                                                    !has(Fault::freeze) && !has(Fault::lease_lost) && !has(Fault::store_error)},
                                                   [this](const Envelope& envelope) { respondents_->asked(envelope); }, generated_.limits, std::chrono::seconds(3),
                                                   shard_options(), has(Fault::skew), plan_.sabotage,
                                                   [this] { return reach_store(); }, {}});
  if (plan_.verbose) node_plan_->say = [this](const std::string& line) { say(line); };
  respondents_ = std::make_unique<Respondents>(world_, *watcher_, generated_, [this] { return choose_node(); });
  for (unsigned i = 0; i < plan_.nodes; ++i) {
    nodes_.push_back(std::make_unique<Node>(*node_plan_, std::string(1, static_cast<char>('a' + i))));
    nodes_.back()->boot();
  }
  for (std::int64_t i = chance_.between(1, 3); i > 0; --i) {
    clients_.push_back(std::make_unique<Client>(world_, *watcher_, generated_, "i" + std::to_string(i),
                                                Client::Habits{has(Fault::hold) && chance_.percent(40), cancels_, rewinds_, mends_},
                                                [this] { return choose_node(); }));
    clients_.back()->begin();
  }
  if ((mends_ || rewinds_) && chance_.percent(30)) {
    clients_.push_back(std::make_unique<Client>(world_, *watcher_, generated_, "again", Client::Habits{}, [this] { return choose_node(); }));
    clients_.back()->begin("i1");
  }
  storm_ends_ = began_ + Duration(chance_.between(2'000'000, 20'000'000));
  look_after_held();
  return true;
}

std::shared_ptr<Store> Cluster::reach_store() {
  FaultyOptions options;
  options.decide = [this](const StoreOperation& operation) { return decide(operation); };
  options.schedule = [this](Duration delay, std::move_only_function<void()> function) { world_.after(delay, std::move(function)); };
  return make_faulty_store(watched_, std::move(options));
}

StoreDecision Cluster::decide(const StoreOperation& operation) {
  StoreDecision decision;
  if (calm()) return decision;
  Chance& chance = world_.chance();
  if (operation.call == StoreCall::commit) {
    if (has(Fault::commit_slow) && chance.percent(15)) decision.delay = Duration(chance.between(1'000, chance.percent(20) ? 3'000'000 : 80'000));
    if (watcher_->epoch(operation.partition) >= kMostOwners) return decision;
    if (has(Fault::commit_lost) && chance.percent(2)) decision.fault = StoreFault::error_before;
    if (has(Fault::commit_doubt) && chance.percent(2)) decision.fault = StoreFault::error_after;
    if (has(Fault::lease_lost) && chance.percent(1)) decision.fault = StoreFault::lease_lost;
    return decision;
  }
  if (operation.call == StoreCall::renew && has(Fault::lease_lost) && chance.percent(1) && watcher_->epoch(operation.partition) < kMostOwners) {
    decision.fault = StoreFault::lease_lost;
  } else if (has(Fault::store_error) && chance.percent(2)) {
    decision.fault = chance.percent(50) ? StoreFault::error_before : StoreFault::error_after;
  }
  return decision;
}

// --- running ------------------------------------------------------------------------------------------------------

/// Whether faults are over: everything must come to its end from here on.
bool Cluster::calm() const { return quiet_ || world_.now() >= storm_ends_; }

Node* Cluster::choose_node() {
  std::vector<Node*> up;
  for (const auto& node : nodes_)
    if (node->up() && node->program()) up.push_back(node.get());
  return up.empty() ? nullptr : up[world_.chance().below(up.size())];
}

void Cluster::act() {
  perhaps_a_fault();
  if (!world_.step()) return watcher_->problem("nothing is left to happen");
  // One after the other, when they take turns.
  const auto in_line = static_cast<std::int64_t>(generated_.limits != Bite::none ? clients_.size() : 1);
  const Duration limit = in_line * (generated_.expected.longest + kSlack) + (storm_ends_ - began_) + std::chrono::seconds(30);
  if (world_.now() - began_ < limit && world_.actions() < kMostActions) return;
  for (const auto& client : clients_) {
    const Witnessed* known = watcher_->instance(client->id());
    const std::string state(known ? to_string(known->audit.state().state) : "unknown");
    watcher_->problem(fmt::format("instance {} has not come to its end in time: it is {}{}", client->id(), state,
                                  client->content() ? "" : ", and requests are not acknowledged"));
  }
}

void Cluster::perhaps_a_fault() {
  if (calm() || !(has(Fault::crash) || has(Fault::freeze))) return;
  Chance& chance = world_.chance();
  if (chance.below(1000) >= 3) return;
  for (std::uint32_t i = 0; i < memory_->shared_partitions(); ++i)
    if (watcher_->epoch(Partition(i)) >= kMostOwners) return;
  Node& node = *nodes_[chance.below(nodes_.size())];
  if (!node.up() || node.leaving()) return;
  if (has(Fault::crash) && (!has(Fault::freeze) || chance.percent(60))) return take_down(node);
  node.freeze(world_.now() + Duration(chance.between(500'000, 8'000'000)));
}

void Cluster::take_down(Node& node) {
  ++crashes_;
  const Duration away(world_.chance().between(1'000, 4'000'000));
  ++booting_;
  const auto boot_later = [this, &node, away] {
    world_.after(away, [this, &node] {
      --booting_;
      node.boot();
    });
  };
  if (world_.chance().percent(25)) return node.leave(boot_later);
  node.crash();
  boot_later();
}

/// People look now and then whether something waits for them.
void Cluster::look_after_held() {
  for (const auto& client : clients_) {
    const Witnessed* known = watcher_->instance(client->id());
    if (!known) continue;
    const WorkflowState state = known->audit.state().state;
    if (state == WorkflowState::paused || state == WorkflowState::suspended) client->resume();
    if (mends_) look_after_mended(*client, *known);
    if (mends_ || known->rewinds == 0) continue;
    for (const auto& [run, step] : known->audit.state().runs)
      if (generated_.expected.signals.contains(step.signal)) client->signal_again(step.signal);
  }
  if (mends_) look_after_children();
  respondents_->look_into_inboxes();
  world_.after(Duration(world_.chance().between(200'000, 1'200'000)), [this] { look_after_held(); });
}

/// Where anything may happen, people send whatever signal is waited for, and end what does not come to its end by itself.
void Cluster::look_after_mended(Client& client, const Witnessed& known) {
  for (const auto& [run, step] : known.audit.state().runs)
    if (!step.signal.empty() && world_.chance().percent(30)) client.signal_again(step.signal);
  const Duration since_storm = world_.now() - storm_ends_;
  if (since_storm > kAtOnceAfter) client.end_it(true);
  else if (since_storm > kEndAfter) client.end_it(false);
}

/// A child that was abandoned has nobody else who would bring it back, or end it.
void Cluster::look_after_children() {
  for (const auto& [id, known] : watcher_->instances()) {
    const kernel::State& state = known.audit.state();
    Node* const node = state.parent_id.empty() || is_terminal(state.state) ? nullptr : choose_node();
    if (!node) continue;
    const auto ask = [&](engine::Demand demand) { node->ask(id, std::move(demand), [](Result<Value>, bool) {}); };
    if (world_.now() - storm_ends_ > kEndAfter) ask(kernel::Cancel{"it takes too long"});
    else if (state.state == WorkflowState::paused || state.state == WorkflowState::suspended) ask(kernel::Resume{});
  }
}

/// What lies in an inbox may yet bring an instance back that is over.
bool Cluster::inboxes_are_empty() const {
  const auto leases = memory_->leases();
  return std::ranges::all_of(*leases, [this](const Lease& lease) { return memory_->inbox(lease.partition, {}, 1)->empty(); });
}

bool Cluster::everybody_content() const {
  const bool all_over = std::ranges::all_of(watcher_->instances(), [](const auto& each) { return is_terminal(each.second.audit.state().state); });
  if (!all_over || !respondents_->content() || !inboxes_are_empty()) return false;
  return std::ranges::all_of(clients_, [this](const auto& client) {
    const Witnessed* known = watcher_->instance(client->id());
    return known && is_terminal(known->audit.state().state) && client->content();
  });
}

void Cluster::run_for(Duration span) {
  const Timestamp until = world_.now() + span;
  while (watcher_->problems().empty() && world_.now() < until && world_.step()) {}
}

void Cluster::wait_until(const std::function<bool()>& done) {
  const Timestamp until = world_.now() + std::chrono::minutes(2);
  while (watcher_->problems().empty() && !done())
    if (!world_.step() || world_.now() > until) return watcher_->problem("a node does not come to its end");
}

/// Who is about to leave or to come back does so, and who stands still may yet pass on a request of long ago.
void Cluster::wait_for_nodes() {
  const auto settled = [](const auto& node) { return node->up() && !node->leaving() && !node->frozen(); };
  wait_until([&] { return booting_ == 0 && std::ranges::all_of(nodes_, settled); });
}

void Cluster::stop_nodes() {
  if (!watcher_->problems().empty()) return;
  std::size_t left = 0;
  for (const auto& node : nodes_) node->leave([&left] { ++left; });
  wait_until([&] { return left == nodes_.size(); });
}

// --- the end ------------------------------------------------------------------------------------------------------

void Cluster::judge_everything() {
  std::size_t started = 0;
  for (const auto& [id, known] : watcher_->instances()) {
    started += known.audit.state().parent_id.empty() ? 1 : 0;
    const kernel::State& state = known.audit.state();
    if (std::string wrong = known.audit.end(); !wrong.empty()) watcher_->problem(id + ": " + wrong);
    if (generated_.foreseen)
      for (const std::string& each : judge(generated_.expected, state, known.calls, known.rewinds)) watcher_->problem(id + ": " + each);
    if (!known.row_finished || known.covered != state.seq) watcher_->problem(id + ": it ended, but its row does not say so");
    for (const auto& [key, sent] : known.sent)
      if (!key.starts_with(id + "/")) watcher_->problem(id + ": a call goes by another instance's key: " + key);
  }
  if (started != clients_.size()) watcher_->problem("there are instances that nobody started");
  judge_store();
  replay_journals();
}

/// Told the same again, every instance does the same again.
void Cluster::replay_journals() {
  engine::ProgramCache programs(*kinds_, *memory_);
  const auto find_child = [&](const std::string& id) { return engine::read_child_end(*memory_, programs, id); };
  const bool budgeted = std::ranges::any_of(watcher_->instances(), [](const auto& each) { return each.second.audit.state().ledger.limits.any(); });
  const bool misfits = std::ranges::any_of(generated_.scenario.script.roles, [](const auto& each) { return each.second.misfit_percent > 0; });
  if (budgeted && misfits) return;  // a journal does not keep what a reply used that did not fit
  for (const auto& [id, known] : watcher_->instances()) {
    if (budgeted && !known.audit.state().parent_id.empty()) continue;  // it lived by its parent's budget too
    const auto journal = engine::read_journal(*memory_, programs, id);
    if (!journal && journal.error().is(code::not_found)) continue;  // its beginning is no longer kept
    if (!journal) {
      watcher_->problem(id + ": its journal does not read back: " + journal.error().to_string());
      continue;
    }
    const auto text = [](const std::optional<kernel::Event>& event) { return event ? to_json(event->to_value()) : std::string("nothing"); };
    const auto replayed = testing::reenact(*journal->program, *journal->program, journal->records, find_child);
    if (!replayed && replayed.error().is(code::not_found)) continue;  // a child's beginning is not
    if (!replayed) watcher_->problem(id + ": it cannot be replayed: " + replayed.error().to_string());
    else if (const auto& found = replayed->difference)
      watcher_->problem(fmt::format("{}: replayed, told {}, record {} is {} and not {}", id, found->told, found->seq, text(found->now),
                                    text(found->recorded)));
  }
}

/// Nothing may be left behind but the rows, the history, and a log that nobody needs.
void Cluster::judge_store() {
  if (const std::size_t entries = watcher_->uncovered_entries(); entries > 0)
    watcher_->problem(fmt::format("{} log entries hold records that no snapshot covers", entries));
  engine::ProgramCache programs(*kinds_, *memory_);
  const auto leases = memory_->leases();
  for (const Lease& lease : *leases) {
    if (lease.expires > world_.now()) watcher_->problem(fmt::format("partition {} is still leased to '{}'", lease.partition.value, lease.node));
    const auto inbox = memory_->inbox(lease.partition, {}, 10);
    if (!inbox->empty()) watcher_->problem(fmt::format("partition {}: commands are left in the inbox", lease.partition.value));
    const auto read = engine::read_partition(*memory_, programs, lease.partition, {});
    if (!read) watcher_->problem(fmt::format("partition {} does not read back: {}", lease.partition.value, read.error().to_string()));
    else if (!read->instances.empty() || !read->unreadable.empty())
      watcher_->problem(fmt::format("partition {} still holds unfinished instances", lease.partition.value));
  }
}

ClusterOutcome Cluster::outcome() const {
  ClusterOutcome out;
  out.hash = watcher_->hash();
  for (const auto& [id, known] : watcher_->instances()) out.hash = mix(mix(out.hash, id), kernel::encode_state(known.audit.state()));
  out.hash = mix(out.hash, static_cast<std::uint64_t>(to_micros(world_.now())));
  out.problems = watcher_->problems();
  out.actions = world_.actions();
  out.commits = watcher_->commits();
  out.crashes = crashes_;
  return out;
}

}  // namespace

ClusterOutcome run_cluster(const ClusterPlan& plan) { return Cluster(plan).run(); }

}  // namespace mapflow::sim
