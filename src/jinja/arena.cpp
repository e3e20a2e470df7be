#include "jinja/arena.h"

#include <algorithm>
#include <cstdlib>

#include "jinja/failure.h"

namespace mapflow::jinja::detail {

namespace {
constexpr std::size_t kLargestChunk = 1u << 20;
}

Arena::~Arena() {
  for (auto* each = finalizers_; each; each = each->next) each->end(each->object);
  while (chunks_) ::operator delete(std::exchange(chunks_, chunks_->next));
}

void Arena::refuse() { throw Failure{FailureClass::limit, "the template needs more memory than its limit allows", {}}; }

void* Arena::allocate_chunk(std::size_t bytes) {
  const std::size_t wanted = std::max(bytes + sizeof(Chunk) + 16, next_chunk_);
  charge(wanted);
  auto* chunk = new (::operator new(wanted)) Chunk{chunks_, wanted};
  chunks_ = chunk;
  next_chunk_ = std::min(next_chunk_ * 2, kLargestChunk);
  char* begin = reinterpret_cast<char*>(chunk) + ((sizeof(Chunk) + 15) & ~std::size_t{15});
  char* end = reinterpret_cast<char*>(chunk) + wanted;
  // A large block leaves the chunk in use as it is when that has more room left than the new one would have.
  char* rest = begin + ((bytes + 15) & ~std::size_t{15});
  if (rest > end) rest = end;
  if (end - rest > end_ - at_) {
    at_ = rest;
    end_ = end;
  }
  return begin;
}

void Arena::finalize(void* object, void (*end)(void*)) { finalizers_ = make<Finalizer>(finalizers_, object, end); }

void Sink::grow(std::size_t more) {
  if (more > limit_ || size_ > limit_ - more)
    throw Failure{FailureClass::limit, "the output is longer than its limit allows", {}};
  const std::size_t wanted = std::max({size_ + more, allocated_ * 2, std::size_t{512}});
  auto* bigger = static_cast<char*>(::operator new(wanted));
  if (size_) std::memcpy(bigger, bytes_, size_);
  ::operator delete(bytes_);
  bytes_ = bigger;
  allocated_ = wanted;
  capacity_ = std::min(allocated_, limit_);
}

}  // namespace mapflow::jinja::detail
