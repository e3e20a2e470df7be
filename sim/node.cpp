#include "sim/node.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "engine/command.h"
#include "engine/finished_instance.h"
#include "engine/start_demand.h"
#include "engine/stored_instance.h"

namespace mapflow::sim {

using engine::Demand;

void Node::boot() {
  if (up()) return;
  ++lives_;
  World& world = plan_.world;
  // Two clocks differ by less than the part of a lease that is left when it is renewed: beyond that nodes would take
  // live partitions from each other for ever, and calls that outlast it would count as poison.
  const Duration skew = plan_.skewed ? Duration(world.chance().between(-600'000, 600'000)) : Duration(0);
  gone_ = std::make_shared<bool>(false);
  clock_ = std::make_shared<WorldClock>(world, skew);
  store_ = make_node_store(plan_.reach_store(), world, plan_.sabotage);
  programs_ = std::make_shared<engine::ProgramCache>(plan_.kinds, *store_);
  for (const Definition& child : plan_.scenario.children)
    if (const auto added = programs_->add(child); !added) return plan_.watcher.problem("a child does not compile: " + added.error().to_string());
  auto program = programs_->add(plan_.scenario.definition);
  if (!program) return plan_.watcher.problem("the definition does not compile: " + program.error().to_string());
  program_ = *std::move(program);

  const Surroundings around{world, plan_.watcher, plan_.scenario.script, plan_.manners, gone_, plan_.left_open, plan_.limits};
  engine::MemberContext context;
  context.node = name_;
  context.ttl = plan_.ttl;
  executors_ = {world.make_executor(skew)};
  context.control = executors_.front();
  for (std::uint64_t shards = 1 + world.chance().below(2); shards > 0; --shards) {
    executors_.push_back(world.make_executor(skew));
    context.executors.push_back(executors_.back());
  }
  context.clock = clock_;
  random_ = std::make_shared<WorldRandom>(world.chance().fork(fmt::format("{} {}", name_, lives_)));
  context.random = random_;
  context.store = store_;
  context.programs = programs_;
  context.dispatch = {make_handlers(around), std::make_shared<engine::AgentPool>(make_agents(around), configured_agents(plan_.limits), engine::AgentContext{}),
                      make_workers(around), std::make_shared<engine::Secrets>()};
  if (plan_.say) context.log = [this](std::string_view, std::string_view line) { say(std::string(line)); };
  context.options = plan_.options;
  if (plan_.sabotage == Sabotage::open_gates) context.dispatch.gates = make_open_gates();
  member_ = std::make_unique<engine::Member>(std::move(context));
  say("up");
  start();
}

void Node::start() {
  member_->start([this, gone = gone_](Result<persistence::Partition> own) {
    if (own || *gone) return;
    say("no start: " + own.error().to_string());
    plan_.world.after(std::chrono::milliseconds(100), [this, gone] {
      if (!*gone) start();
    });
  });
}

void Node::crash() {
  if (!up()) return;
  say("crash");
  *gone_ = true;
  leaving_ = false;
  store_->disconnect();
  for (const auto& executor : std::exchange(executors_, {})) plan_.world.kill(executor);
  member_.reset();
  program_.reset();
  programs_.reset();
}

bool Node::frozen() const {
  return std::ranges::any_of(executors_, [this](const auto& executor) { return plan_.world.frozen(*executor); });
}

void Node::freeze(Timestamp until) {
  say("freeze");
  for (const auto& executor : executors_) plan_.world.freeze(*executor, until);
}

void Node::leave(std::function<void()> left) {
  say("leave");
  leaving_ = true;
  if (!up()) return left();  // it crashed a moment ago, and has nothing to give back
  member_->stop([this, gone = gone_, left = std::move(left)] {
    if (*gone) return;
    // Not from within one of its own actions.
    plan_.world.after(Duration(1), [this, gone, left] {
      if (*gone) return;
      crash();
      left();
    });
  });
}

persistence::Partition Node::home(const std::string& id) const {
  const std::uint32_t shared = store_->shared_partitions();
  if (plan_.sabotage == Sabotage::scattered_turns) return engine::shared_partition_of(id, shared);
  return engine::start_partition_of(plan_.scenario.definition, id, shared);
}

// --- requests -----------------------------------------------------------------------------------------------------

void Node::ask(const std::string& id, Demand demand, Told told) {
  if (auto* answer = std::get_if<kernel::Complete>(&demand); answer && plan_.sabotage == Sabotage::stray_answer)
    if (const auto open = plan_.watcher.open_calls(id); !open.empty()) answer->token = open.front().token;
  const auto partition = home(id);
  engine::Request request{partition, id, demand, {}};
  request.answer = [this, gone = gone_, id, demand = std::move(demand), told = std::move(told)](Result<Value> value) mutable {
    const bool elsewhere = !value && (value.error().is(engine::reroute::not_owner) || value.error().is(engine::reroute::elsewhere) ||
                                      value.error().is(code::not_found));
    if (!elsewhere) return told(std::move(value), false);
    plan_.world.after(std::chrono::microseconds(300), [this, gone, id, demand = std::move(demand), told = std::move(told),
                                                       refused = std::move(value).error()]() mutable {
      if (!*gone) ask_store(id, demand, refused, std::move(told));
    });
  };
  member_->shard_of(partition).request(std::move(request));
}

void Node::rerun(const std::string& former, const std::string& id, Told told) {
  const auto stored = engine::read_stored_instance(*store_, *programs_, former, false);
  if (!stored) return told(fail(stored.error()), false);
  auto demand = engine::make_rerun(*programs_, *stored, id, clock_->now(), *random_);
  if (!demand) return told(fail(demand.error()), false);
  ask(id, *std::move(demand), std::move(told));
}

void Node::ask_store(const std::string& id, const Demand& demand, const Error& refused, Told told) {
  const auto row = store_->instance(id);
  if (!row && !row.error().is(code::not_found)) return told(fail(row.error()), false);
  if (row && engine::revives(demand) && !refused.is(code::not_found)) {
    const auto posted = store_->post(row->partition, engine::encode_command(id, demand, *store_));
    return posted ? told(Value(), true) : told(fail(posted.error()), false);
  }
  if (refused.is(code::not_found) && row && engine::revives(demand)) return told(fail(refused), false);
  if (row && row->finished) return told(engine::ask_finished(*row, demand, *programs_, clock_->now()), false);
  if (refused.is(code::not_found) && !row) return told(fail(refused), false);
  const auto posted = store_->post(row ? row->partition : home(id), engine::encode_command(id, demand, *store_));
  if (!posted) return told(fail(posted.error()), false);
  told(Value(), true);
}

}  // namespace mapflow::sim
