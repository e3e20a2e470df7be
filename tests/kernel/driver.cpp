#include "kernel/driver.h"

#include <doctest/doctest.h>

#include "jinja/workflow.h"
#include "value/json.h"

namespace mapflow::testing {

Step step(std::string type, std::string id, Value fields) {
  Step out;
  out.type = std::move(type);
  out.id = std::move(id);
  out.fields = std::move(fields);
  return out;
}

Step message(std::string id, std::string agent, Value data) {
  return step("message", std::move(id), object({{"destination", std::move(agent)}, {"data", std::move(data)}}));
}

Step transform(std::string id, std::string target, Value source) {
  return step("transform", std::move(id), object({{"transformations", object({{Text(target), std::move(source)}})}}));
}

Branch branch(std::string role, Block steps, std::string name) {
  Branch out;
  out.role = std::move(role);
  out.name = std::move(name);
  out.steps = std::move(steps);
  return out;
}

Step with(Step step, Branch branch) {
  step.branches.push_back(std::move(branch));
  return step;
}

Step hooked(Step step, std::string role, Block steps) {
  if (role == "on_error") step.on_error = OnError::handle;
  step.hooks.push_back(branch(std::move(role), std::move(steps)));
  return step;
}

Step retried(Step step, std::uint32_t attempts, Duration delay) {
  step.retry = RetryPolicy{.strategy = RetryStrategy::linear, .max_attempts = attempts, .initial_delay = delay};
  return step;
}

Definition workflow(Block steps) {
  Definition out;
  out.id = "test";
  out.version = "1";
  out.steps = std::move(steps);
  return out;
}

std::string fingerprint(const kernel::State& state) { return kernel::encode_state(state); }

Driver::Driver(Definition definition, Policies policies)
    : kinds_(steps::make_registry()), environment_(jinja::workflow_environment()) {
  for (auto& [name, function] : policies) REQUIRE(kinds_->add_retry_policy(name, std::move(function)));
  auto compiled = kernel::compile(std::move(definition), "hash", *kinds_, environment_);
  INFO("compiling: " << (compiled ? "" : compiled.error().to_string()));
  REQUIRE(compiled.has_value());
  program = *std::move(compiled);
}

void Driver::start(Value input) {
  kernel::Start start;
  start.id = "i1";
  start.input = std::move(input);
  start.seed = 7;
  give(std::move(start));
}

kernel::Commit Driver::give(kernel::Input input) {
  limits.events = true;
  kernel::Commit commit = kernel::decide(*program, state, input, now, limits);
  for (auto& record : commit.records) records.push_back(record);
  for (auto& event : commit.events) events_.push_back(event);
  for (auto& effect : commit.effects) {
    if (auto* call = std::get_if<kernel::PlaceCall>(&effect)) {
      sent.push_back(call->envelope);
      calls.push_back(*call);
    } else {
      dropped.push_back(std::get<kernel::DropCall>(effect));
    }
  }
  check_replay();
  if (commit.more) give(kernel::Continue{});
  return commit;
}

bool Driver::answer_one() {
  for (auto call = calls.begin(); call != calls.end(); ++call) {
    const auto script = scripts_.find(call->target.name);
    if (script == scripts_.end()) continue;
    auto answer = script->second(call->envelope);
    kernel::CallDone done{call->run, call->attempt, fail(code::internal, "")};
    if (answer) done.outcome = Reply{*std::move(answer), std::nullopt};
    else done.outcome = fail(answer.error());
    calls.erase(call);
    give(std::move(done));
    return true;
  }
  return false;
}

void Driver::run(Timestamp until) {
  for (int turns = 0; turns < 1'000'000; ++turns) {
    if (answer_one()) continue;
    const Timestamp wake = state.wake_at();
    if (wake == kNever || wake > until) return;
    now = std::max(now, wake);
    give(kernel::Tick{});
  }
  FAIL("the instance never comes to rest");
}

void Driver::crash() {
  std::string log;
  kernel::encode_records(log, records);
  kernel::State recovered;
  for (kernel::RecordReader reader(log); !reader.done();) {
    auto record = reader.next();
    REQUIRE(record.has_value());
    kernel::apply(*program, recovered, *record);
  }
  auto reread = kernel::decode_state(kernel::encode_state(recovered));
  REQUIRE(reread.has_value());
  state = *std::move(reread);
  calls.clear();
  give(kernel::Recover{});
}

kernel::Commit Driver::rewind(kernel::Place place, bool same_execution) {
  kernel::StepSearch search(*program, place.before);
  kernel::State at;
  for (const auto& record : records) {
    search.see(at, record);
    kernel::apply(*program, at, record);
  }
  kernel::Rewind request{place, same_execution, nullptr};
  auto seq = search.end_stretch();
  if (const auto checkpoint = kernel::checkpoint_seq(state, place.checkpoint)) seq = *checkpoint;
  if (seq) {
    kernel::State past;
    for (std::uint64_t i = 0; i < *seq; ++i) kernel::apply(*program, past, records[i]);
    request.mark = std::make_shared<const kernel::Mark>(kernel::Mark{past, records[*seq - 1].at});
  }
  return give(std::move(request));
}

void Driver::check_replay() const {
  kernel::State replayed;
  for (const auto& record : records) kernel::apply(*program, replayed, record);
  REQUIRE(fingerprint(replayed) == fingerprint(state));
  REQUIRE(replayed.timers == state.timers);
}

std::vector<std::string> Driver::story() const {
  std::vector<std::string> lines;
  for (const auto& event : events_) {
    if (event.type.starts_with("block.") || event.type == "step.attempt" || event.type == "step.noted" ||
        event.type == "step.called")
      continue;
    lines.push_back(event.path.empty() ? event.type : event.type + " " + event.path);
  }
  return lines;
}

}  // namespace mapflow::testing
