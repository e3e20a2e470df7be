#include "jinja/nearest.h"

#include <algorithm>
#include <numeric>

namespace mapflow::jinja::detail {

namespace {

constexpr std::size_t kLongestName = 64;
constexpr std::size_t kMostNames = 2'000;  // enough for people's names, and no long search through data

// Insertions, removals, replacements and swaps of neighbours between two names.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), now(b.size() + 1);
  std::iota(last.begin(), last.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    now[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      now[j] = std::min({last[j] + 1, now[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) now[j] = std::min(now[j], before[j - 2] + 1);
    }
    std::swap(before, last);
    std::swap(last, now);
  }
  return last[b.size()];
}

}  // namespace

std::string nearest(std::string_view name, const std::vector<std::string>& known) {
  if (name.empty() || name.size() > kLongestName) return {};
  const std::size_t allowed = name.size() <= 2 ? 1 : std::max<std::size_t>(1, (name.size() + 1) / 3);
  std::string best;
  std::size_t best_distance = allowed + 1;
  std::size_t looked_at = 0;
  for (const std::string& each : known) {
    if (++looked_at > kMostNames) break;
    if (each.empty() || each.size() > name.size() + allowed || each.size() + allowed < name.size() || each == name)
      continue;
    const std::size_t d = distance(name, each);
    if (d >= std::max(name.size(), each.size())) continue;
    if (d < best_distance || (d == best_distance && each < best)) {
      best = each;
      best_distance = d;
    }
  }
  return best;
}

std::string did_you_mean(std::string_view name, const std::vector<std::string>& known) {
  const std::string best = nearest(name, known);
  return best.empty() ? std::string() : " (did you mean '" + best + "'?)";
}

}  // namespace mapflow::jinja::detail
