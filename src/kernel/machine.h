// The kernel: a pure state machine that decides what becomes of one instance. This is the heart of the engine.
//
//      Input ──> decide ──> records ──> apply ──> State
//                  │           └──────> the store (one group commit for many instances)
//                  └─────> effects: released by the shard once the records are durable
//
// An instance is a tree. A *frame* executes a block: it starts one step after the other. A *run* executes a step: its
// kind (src/steps/) may finish at once, place a call, sleep, or open frames of its own for the blocks it contains.
// When a run settles, its frame advances; when a frame closes, its owner's kind hears of it; when the main frame
// closes, the instance ends, or is compensated.
//
//      main frame ─> run "fan" (parallel) ─┬─> frame "pack"  ─> run "charge" (message)  … waits for its CallDone
//                                          └─> frame "label" ─> run "print"  (custom)   … waits for its CallDone
//
// Work that follows from a record (advance this frame, tell that run) is kept on an agenda for the length of one
// decision. Every item on it can also be told from the state alone, and doing one twice changes nothing. So a decision
// may be cut short after any record, by its own limit or by a crash, and be taken up again by Continue or Recover.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "base/time.h"
#include "kernel/input.h"
#include "kernel/program.h"
#include "kernel/state.h"

namespace mapflow::kernel {

struct DecideLimits {
  std::size_t records = 4096;     ///< a decision longer than this is cut (Commit::more)
  std::uint32_t deliveries = 10;  ///< of one call without an outcome, before the step fails with `poison`
  bool events = false;            ///< fill Commit::events
  std::span<const Allowance> above{};  ///< what is left of the budgets of the instance's parents
};

/// Decides what `input` means at `now`, and applies it to `state`. Pure: the same arguments give the same commit.
/// With a ticket, what becomes of the request is remembered under it, also that it was refused; what is remembered
/// already is not carried out again. An instance that is over remembers only what is carried out.
/// When the commit cannot be made durable the state must be thrown away and read from the store again.
/// `room`: what the commit is built in. Its memory is used, and effects that are in it stay before the new ones.
Commit decide(const Program& program, State& state, const Input& input, Timestamp now, const DecideLimits& limits = {},
              const Ticket* ticket = nullptr, Commit room = {});

/// Whether the instance's steps, as far as they came, call for compensation.
bool has_something_to_undo(const Program& program, const State& state);
/// What the parent of a child that is over is told.
ChildEnded child_ended(const Program& program, const State& child);

}  // namespace mapflow::kernel
