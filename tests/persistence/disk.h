// The disk under the SQLite store, as tests see and break it: the C library's functions that SQLite calls are
// replaced in this program by ones that count and fail on command.
#pragma once

namespace mapflow::persistence::testing::disk {

/// How often bytes were forced to the disk.
int syncs();
/// From now on writing (or syncing) fails with this errno; 0: no more.
void fail_writes(int error);
void fail_syncs(int error);
/// From now on a sync does not return before it is let go.
void hold_syncs();
void await_held_sync();
void let_syncs_go();

}  // namespace mapflow::persistence::testing::disk
