// Memory for the values that one render makes: handed out by moving a pointer, given back all at once.
//
// Nothing that lives here is freed alone and nothing here runs a destructor, unless `finalize` asked for it. That is
// what lets a Cell be two plain words.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <utility>

namespace mapflow::jinja::detail {

class Arena {
 public:
  explicit Arena(std::size_t limit_bytes) : at_(first_), end_(first_ + sizeof first_), limit_(limit_bytes) {}
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  ~Arena();

  /// Uninitialised bytes, aligned to 16. Throws a limit Failure when the limit is passed.
  void* allocate(std::size_t bytes) {
    if (bytes <= static_cast<std::size_t>(end_ - at_)) [[likely]] {
      void* taken = at_;
      at_ += (bytes + 15) & ~std::size_t{15};
      if (at_ > end_) at_ = end_;
      return taken;
    }
    return allocate_chunk(bytes);
  }
  template <class T>
  T* array(std::size_t count) {
    if (count > SIZE_MAX / 2 / sizeof(T)) refuse();
    return static_cast<T*>(allocate(count * sizeof(T)));
  }
  template <class T, class... Parts>
  T* make(Parts&&... parts) {
    return new (allocate(sizeof(T))) T{std::forward<Parts>(parts)...};
  }
  /// Runs `end(object)` when the arena goes.
  void finalize(void* object, void (*end)(void*));
  /// Counts bytes that live elsewhere on behalf of this render. Throws as allocate does.
  void charge(std::size_t bytes) {
    if (bytes > limit_ || used_ > limit_ - bytes) refuse();
    used_ += bytes;
  }

 private:
  struct Chunk {
    Chunk* next;
    std::size_t bytes;
  };
  struct Finalizer {
    Finalizer* next;
    void* object;
    void (*end)(void*);
  };
  void* allocate_chunk(std::size_t bytes);
  [[noreturn]] static void refuse();

  char* at_;
  char* end_;
  std::size_t limit_;
  std::size_t used_ = 0;
  std::size_t next_chunk_ = 8192;
  Chunk* chunks_ = nullptr;
  Finalizer* finalizers_ = nullptr;
  alignas(16) char first_[1024];
};

/// Text under construction: grows on the heap, up to a limit that the owner moves.
class Sink {
 public:
  explicit Sink(std::size_t limit) : limit_(limit) {}
  Sink(const Sink&) = delete;
  Sink& operator=(const Sink&) = delete;
  ~Sink() { ::operator delete(bytes_); }

  void append(const char* text, std::size_t count) {
    if (count == 0) return;  // `text` may be null
    if (count > capacity_ - size_) grow(count);
    std::memcpy(bytes_ + size_, text, count);
    size_ += count;
  }
  template <class View>
  void append(const View& text) {
    if (text.size()) append(text.data(), text.size());
  }
  void push(char c) {
    if (size_ == capacity_) grow(1);
    bytes_[size_++] = c;
  }
  void fill(std::size_t count, char c) {
    if (count == 0) return;
    if (count > capacity_ - size_) grow(count);
    std::memset(bytes_ + size_, c, count);
    size_ += count;
  }
  std::size_t size() const { return size_; }
  char* data() { return bytes_; }
  void truncate(std::size_t size) { size_ = size; }
  std::size_t limit() const { return limit_; }
  /// The capacity is cut to the limit, so that passing it is noticed where growing is.
  void set_limit(std::size_t limit) {
    limit_ = limit;
    capacity_ = allocated_ < limit ? allocated_ : limit;
    if (capacity_ < size_) capacity_ = size_;
  }

 private:
  void grow(std::size_t more);

  char* bytes_ = nullptr;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
  std::size_t allocated_ = 0;
  std::size_t limit_;
};

}  // namespace mapflow::jinja::detail
