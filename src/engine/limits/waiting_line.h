// A line in which the urgent stand further in front, and nobody waits for ever.
//
// A level of priority is worth a fixed time of waiting: with a worth of 10 s, who came at 12:00:20 with priority 3
// stands before who came at 12:00:00 with priority 0, and behind who has been there since 11:59:40. So order never
// changes while waiting, and everybody is overtaken only by who comes within `levels · worth` after them.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <utility>

#include "base/time.h"

namespace mapflow::engine {

template <class Who>
class WaitingLine {
 public:
  /// Where somebody stands.
  using Place = std::pair<Timestamp, std::uint64_t>;

  explicit WaitingLine(Duration worth) : worth_(worth) {}

  /// `priority`: higher is more urgent. Of two alike who came first goes first.
  Place join(Who who, unsigned priority, Timestamp arrived) {
    const Place place{arrived - priority * worth_, ++joined_};
    line_.emplace(place, std::move(who));
    return place;
  }
  void leave(const Place& place) { line_.erase(place); }
  /// Who goes next; nullptr when nobody waits.
  const Who* first() const { return line_.empty() ? nullptr : &line_.begin()->second; }
  void pop() { line_.erase(line_.begin()); }
  /// The first for whom `wanted` is true; nullptr when there is none.
  template <class Wanted>
  const Who* find(const Wanted& wanted) const {
    for (const auto& [place, who] : line_)
      if (wanted(who)) return &who;
    return nullptr;
  }
  bool empty() const { return line_.empty(); }
  std::size_t size() const { return line_.size(); }

 private:
  Duration worth_;
  std::uint64_t joined_ = 0;
  std::map<Place, Who> line_;
};

}  // namespace mapflow::engine
