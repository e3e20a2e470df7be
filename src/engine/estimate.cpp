#include "engine/estimate.h"

#include <algorithm>
#include <vector>

#include "model/state.h"

namespace mapflow::engine {
namespace {

constexpr std::size_t kRuns = 50;

double seconds(Duration span) { return static_cast<double>(span.count()) / 1e6; }

}  // namespace

Result<std::optional<Estimate>> estimate(persistence::Store& store, const kernel::State& state, Timestamp now) {
  MAPFLOW_ASSIGN(const persistence::InstancePage page,
                 store.list({.workflow = state.workflow, .state = std::string(to_string(WorkflowState::completed)), .limit = kRuns}));
  std::vector<Duration> same, any;
  for (const persistence::InstanceRow& row : page.rows) {
    if (row.id == state.id) continue;
    any.push_back(row.updated - row.created);
    if (row.definition == state.definition) same.push_back(any.back());
  }
  std::vector<Duration>& spans = same.empty() ? any : same;
  if (spans.empty()) return std::nullopt;
  std::ranges::sort(spans);
  Estimate found;
  found.runs = spans.size();
  found.typical = spans[spans.size() / 2];
  found.slow = spans[(spans.size() - 1) * 9 / 10];
  if (!is_terminal(state.state)) found.left = std::max(Duration(0), found.typical - (now - state.started));
  return found;
}

Value to_value(const Estimate& estimate) {
  Value out = object({{"runs", estimate.runs}, {"typical_seconds", seconds(estimate.typical)}, {"slow_seconds", seconds(estimate.slow)}});
  if (estimate.left) out.set("remaining_seconds", seconds(*estimate.left));
  return out;
}

}  // namespace mapflow::engine
