// The numbers that a shard works by. Each default is fit for production.
#pragma once

#include <chrono>
#include <cstddef>

#include "base/time.h"

namespace mapflow::engine {

struct ShardOptions {
  /// False: decides what is asked of it, but calls nobody and takes up no work that stood still (see clerk.h).
  bool calls = true;

  // --- turns and commits ---
  std::size_t turn_inputs = 4096;         ///< inputs decided in one turn of one partition, at most
  std::size_t commits_in_flight = 2;      ///< per partition; beyond it, inputs are only collected
  std::size_t max_instances = 1'000'000;  ///< unfinished ones in memory; beyond it, start is refused

  // --- memory ---
  /// What the states of all instances of a shard may take, estimated. Beyond it, those that were used least recently go
  /// to sleep in the store, and come back by themselves when something is for them.
  std::size_t instance_bytes = 64u << 20;

  // --- rows and the log ---
  bool rows_at_once = false;              ///< every new instance gets its row in the commit that starts it
  Duration row_delay = std::chrono::milliseconds(900);  ///< how late a row may be otherwise
  std::size_t checkpoint_log_bytes = 8u << 20;       ///< uncovered log of a partition that starts checkpoints
  std::size_t checkpoint_instance_bytes = 256u << 10;  ///< uncovered records of one instance that start its checkpoint
  std::size_t truncate_bytes = 1u << 20;  ///< the log is shortened by so much at a time
  bool details = false;                   ///< rows with snapshots bring along what people may ask of steps and errors
  std::size_t history_bytes = 64u << 20;  ///< records of one instance that are kept for people; older ones are dropped

  // --- calls and commands ---
  std::size_t payload_bytes = 1u << 20;   ///< largest message, reply, input or signal
  Duration inbox_poll = std::chrono::milliseconds(50);
  /// A message without an answer counts as taken when its transport has not refused it for so long.
  Duration taken_after = std::chrono::milliseconds(250);
};

}  // namespace mapflow::engine
