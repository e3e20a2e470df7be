// When the instances of a shard next want to be woken: a heap with at most one entry per instance.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "base/time.h"
#include "engine/instance.h"

namespace mapflow::engine {

/// Each entry knows its instance and each instance its place, so moving a due time costs O(log n) and leaves nothing
/// behind. Thread safety: the shard's.
class TimerQueue {
 public:
  /// The instance wants to be woken at `due`; kNever takes it out.
  void set(Instance& instance, Timestamp due) {
    if (due == instance.timer_due) return;
    const bool earlier = due < instance.timer_due;
    instance.timer_due = due;
    if (due == kNever) return remove(instance);
    if (instance.timer_place == kAbsent) {
      instance.timer_place = heap_.size();
      heap_.push_back(&instance);
    }
    earlier ? move_up(instance.timer_place) : move_down(instance.timer_place);
  }
  /// Takes out the instance that is due first, when it is due by `now`; else nullptr.
  Instance* take_due(Timestamp now) {
    if (next() > now) return nullptr;
    Instance* const first = heap_.front();
    set(*first, kNever);
    return first;
  }
  Timestamp next() const { return heap_.empty() ? kNever : heap_.front()->timer_due; }
  std::size_t size() const { return heap_.size(); }

 private:
  static constexpr std::size_t kAbsent = SIZE_MAX;

  void put(std::size_t place, Instance* instance) {
    heap_[place] = instance;
    instance->timer_place = place;
  }
  void remove(Instance& instance) {
    const std::size_t place = instance.timer_place;
    if (place == kAbsent) return;
    instance.timer_place = kAbsent;
    Instance* const last = heap_.back();
    heap_.pop_back();
    if (last == &instance) return;
    put(place, last);
    move_up(place);
    move_down(last->timer_place);
  }
  void move_up(std::size_t place) {
    while (place > 0 && heap_[place]->timer_due < heap_[(place - 1) / 2]->timer_due) {
      exchange(place, (place - 1) / 2);
      place = (place - 1) / 2;
    }
  }
  void move_down(std::size_t place) {
    for (;;) {
      std::size_t least = place;
      for (std::size_t child = 2 * place + 1; child <= 2 * place + 2 && child < heap_.size(); ++child)
        if (heap_[child]->timer_due < heap_[least]->timer_due) least = child;
      if (least == place) return;
      exchange(place, least);
      place = least;
    }
  }
  void exchange(std::size_t a, std::size_t b) {
    Instance* const other = heap_[a];
    put(a, heap_[b]);
    put(b, other);
  }

  std::vector<Instance*> heap_;
};

}  // namespace mapflow::engine
