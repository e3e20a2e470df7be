#include "sim/callees.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "kernel/history.h"

namespace mapflow::sim {

void Callees::called(const kernel::PlaceCall& call, Timestamp now) {
  if (auto reply = script_.reply(call.target.name, call.envelope))
    coming_.push_back({kernel::CallDone{call.run, call.attempt, *std::move(reply)}});
  else if (call.heartbeat)
    coming_.push_back({kernel::CallDone{call.run, call.attempt, fail(code::timeout, "it was not heard of")}, now + *call.heartbeat});
}

void Callees::look(const kernel::Program& program, const kernel::State& state) {
  for (const kernel::OpenCall& call : kernel::open_calls(program, state)) {
    if (!seen_.insert(call.token + " " + std::to_string(call.attempt)).second) continue;
    const Answer answer = script_.answer(call.step, call.path, call.attempt, call.data);
    const auto write = [&](const Value& value, Timestamp due) {
      coming_.push_back({kernel::Complete{call.token, Reply{value, std::nullopt}}, due});
    };
    if (answer.misfit) write(*answer.misfit, {});
    if (answer.value) write(*answer.value, {});
    if (answer.error) coming_.push_back({kernel::Complete{call.token, fail(*answer.error)}});
    if (answer.too_late && call.deadline != kNever) write(*answer.too_late, call.deadline + std::chrono::seconds(1));
  }
}

Timestamp Callees::next() const {
  Timestamp next = kNever;
  for (const Coming& each : coming_) next = std::min(next, each.due);
  return next;
}

std::optional<kernel::Input> Callees::take(Timestamp now, Chance* chance, bool keep) {
  std::vector<std::size_t> due;
  for (std::size_t i = 0; i < coming_.size(); ++i)
    if (coming_[i].due <= now) due.push_back(i);
  if (due.empty()) return std::nullopt;
  const std::size_t which = chance ? chance->pick(due) : due.front();
  kernel::Input input = coming_[which].input;
  if (!keep) coming_.erase(coming_.begin() + static_cast<std::ptrdiff_t>(which));
  return input;
}

void Callees::lose_calls() {
  std::erase_if(coming_, [](const Coming& each) { return std::holds_alternative<kernel::CallDone>(each.input); });
}

}  // namespace mapflow::sim
