#include "jinja/heap.h"

#include <malloc.h>

#include <atomic>
#include <cstdlib>
#include <new>

namespace {

std::atomic<std::size_t> held{0}, most{0};

void* counted(void* memory) {
  if (!memory) throw std::bad_alloc();
  const std::size_t now = held += malloc_usable_size(memory);
  for (std::size_t seen = most; now > seen && !most.compare_exchange_weak(seen, now);) continue;
  return memory;
}

void give_back(void* memory) {
  if (memory) held -= malloc_usable_size(memory);
  std::free(memory);
}

}  // namespace

// These replace the library's for the whole test program.
void* operator new(std::size_t bytes) { return counted(std::malloc(bytes ? bytes : 1)); }
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  const auto unit = static_cast<std::size_t>(alignment);
  return counted(std::aligned_alloc(unit, (bytes + unit) / unit * unit));
}
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {  // std::stable_sort asks for room this way
  void* const memory = std::malloc(bytes ? bytes : 1);
  return memory ? counted(memory) : nullptr;
}
void operator delete(void* memory) noexcept { give_back(memory); }
void operator delete(void* memory, std::size_t) noexcept { give_back(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { give_back(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { give_back(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { give_back(memory); }

namespace mapflow::test {

HeapWatch::HeapWatch() : before_(held) { most = before_; }
std::size_t HeapWatch::peak() const { return most - before_; }

}  // namespace mapflow::test
