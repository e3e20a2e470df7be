#include "persistence/overdue.h"

#include <algorithm>
#include <utility>

namespace mapflow::persistence {
namespace {

/// Small, for a look ends only between two pages.
constexpr std::size_t kPage = 200;

}  // namespace

Status OverdueFinder::look(Timestamp before, Duration span, const Deal& deal) {
  const auto begun = std::chrono::steady_clock::now();
  const auto passed = [&] { return std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now() - begun); };
  do {
    MAPFLOW_ASSIGN(InstancePage page, store_.list({.cursor = cursor_, .limit = kPage}));
    std::erase_if(page.rows, [&](const InstanceRow& row) { return !row.finished || row.updated > before; });
    if (!page.rows.empty()) MAPFLOW_TRY(deal(page.rows));
    cursor_ = std::move(page.next_cursor);
  } while (!cursor_.empty() && passed() < span);
  return {};
}

Status OverdueFinder::look_at_all(Timestamp before, const Deal& deal) {
  cursor_.clear();
  return look(before, Duration::max(), deal);
}

Duration pause_between_looks(Duration retention) {
  return std::clamp<Duration>(retention / 10, std::chrono::seconds(1), std::chrono::seconds(15));
}

}  // namespace mapflow::persistence
