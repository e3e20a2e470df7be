#include "persistence/disk.h"

#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstddef>

namespace {

std::atomic<int> sync_count = 0, sync_error = 0, write_error = 0;

std::atomic<bool> hold = false;
std::atomic<int> held = 0;

int failed(int error) {
  errno = error;
  return -1;
}

}  // namespace

extern "C" int fdatasync(int file) {
  ++sync_count;
  if (hold) {
    ++held;
    held.notify_all();
    hold.wait(true);
    --held;
  }
  if (const int error = sync_error) return failed(error);
  return static_cast<int>(syscall(SYS_fdatasync, file));
}

extern "C" ssize_t pwrite64(int file, const void* bytes, std::size_t count, off64_t offset) {
  if (const int error = write_error) return failed(error);
  return syscall(SYS_pwrite64, file, bytes, count, offset);
}

namespace mapflow::persistence::testing::disk {

int syncs() { return sync_count; }
void fail_writes(int error) { write_error = error; }
void fail_syncs(int error) { sync_error = error; }
void hold_syncs() { hold = true; }
void await_held_sync() { held.wait(0); }
void let_syncs_go() {
  hold = false;
  hold.notify_all();
}

}  // namespace mapflow::persistence::testing::disk
