#include "engine/turns.h"

#include <algorithm>
#include <utility>

namespace mapflow::engine {

const Turns::Crowd* Turns::crowd(std::string_view workflow) const {
  const auto found = crowds_.find(workflow);
  return found == crowds_.end() ? nullptr : &found->second;
}

bool Turns::has_place(const Crowd& crowd, const Concurrency& rules, std::string_view key) {
  if (rules.max_running && crowd.running.size() >= *rules.max_running) return false;
  if (rules.key.empty()) return true;
  const auto same = crowd.by_key.find(key);
  return same == crowd.by_key.end() || same->second.size() < rules.limit;
}

bool Turns::has_place(std::string_view workflow, const Concurrency& rules, std::string_view key) const {
  const Crowd* const all = crowd(workflow);
  return !all || has_place(*all, rules, key);
}

bool Turns::somebody_waits(std::string_view workflow, const Concurrency& rules, std::string_view key) const {
  const Crowd* const all = crowd(workflow);
  if (!all || all->line.empty()) return false;
  // Whoever waits for another key alone is not overtaken.
  return rules.max_running || all->line.find([&](const TurnWish& other) { return other.key == key; }) != nullptr;
}

std::size_t Turns::waiting(std::string_view workflow) const {
  const Crowd* const all = crowd(workflow);
  return all ? all->line.size() : 0;
}

std::size_t Turns::waiting() const {
  std::size_t all = 0;
  for (const auto& [workflow, crowd] : crowds_) all += crowd.line.size();
  return all;
}

std::vector<InstanceRef> Turns::in_the_way(std::string_view workflow, const Concurrency& rules, std::string_view key) const {
  std::vector<InstanceRef> found;
  const Crowd* const all = crowd(workflow);
  if (!all) return found;
  all->line.find([&](const TurnWish& other) {
    if (rules.key.empty() || other.key == key) found.push_back(other.instance);
    return false;
  });
  const auto oldest = [&](const std::map<std::uint64_t, InstanceRef>& running, std::size_t limit) {
    std::size_t over = running.size() + 1 > limit ? running.size() + 1 - limit : 0;
    for (auto each = running.begin(); over > 0; ++each, --over)
      if (std::ranges::find(found, each->second) == found.end()) found.push_back(each->second);
  };
  if (!rules.key.empty())
    if (const auto same = all->by_key.find(key); same != all->by_key.end()) oldest(same->second, rules.limit);
  if (rules.max_running) oldest(all->running, *rules.max_running);
  return found;
}

void Turns::run(TurnWish wish) {
  Crowd& crowd = crowds_[wish.workflow];
  const std::uint64_t number = ++last_number_;
  crowd.running.emplace(number, wish.instance);
  crowd.by_key[wish.key].emplace(number, wish.instance);
  members_[name(wish.instance)] = {std::move(wish.workflow), std::move(wish.key), number, {}};
}

void Turns::wait(TurnWish wish) {
  Member& member = members_[name(wish.instance)];
  member = {wish.workflow, wish.key, 0, {}};
  const std::uint32_t priority = wish.priority;
  const Timestamp since = wish.since;
  member.place = crowds_[member.workflow].line.join(std::move(wish), priority, since);
}

std::string Turns::leave(InstanceRef instance) {
  auto member = members_.extract(name(instance));
  if (!member) return {};
  auto& [workflow, key, number, place] = member.mapped();
  Crowd& crowd = crowds_.at(workflow);
  if (number == 0) {
    crowd.line.leave(place);
  } else {
    crowd.running.erase(number);
    const auto same = crowd.by_key.find(key);
    same->second.erase(number);
    if (same->second.empty()) crowd.by_key.erase(same);
  }
  if (crowd.running.empty() && crowd.line.empty()) crowds_.erase(workflow);
  return std::move(workflow);
}

InstanceRef Turns::next(const std::string& workflow) {
  const auto found = crowds_.find(workflow);
  if (found == crowds_.end()) return {};
  const Crowd& all = found->second;
  const TurnWish* const first = all.line.find([&](const TurnWish& wish) { return has_place(all, wish.rules, wish.key); });
  if (!first) return {};
  TurnWish wish = *first;
  leave(wish.instance);
  run(wish);
  return wish.instance;
}

std::vector<std::string> Turns::workflows() const {
  std::vector<std::string> names;
  for (const auto& [workflow, crowd] : crowds_) names.push_back(workflow);
  return names;
}

}  // namespace mapflow::engine
