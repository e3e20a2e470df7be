// An optional for what is seldom there.
#pragma once

#include <memory>
#include <optional>
#include <utility>

namespace mapflow {

/// Holds a T or nothing, as std::optional does, but takes one pointer, and memory for the T only when there is one: for
/// large things that most of their holders do not have. Copying copies the T.
template <class T>
class Rare {
 public:
  Rare() noexcept = default;
  Rare(std::nullopt_t) noexcept {}  // NOLINT(google-explicit-constructor): as std::optional does
  Rare(T held) : held_(std::make_unique<T>(std::move(held))) {}  // NOLINT(google-explicit-constructor)
  Rare(std::optional<T> held) {  // NOLINT(google-explicit-constructor)
    if (held) emplace(*std::move(held));
  }
  Rare(const Rare& other) : held_(other ? std::make_unique<T>(*other) : nullptr) {}
  Rare(Rare&& other) noexcept = default;
  Rare& operator=(Rare other) noexcept {
    held_ = std::move(other.held_);
    return *this;
  }
  ~Rare() = default;

  explicit operator bool() const noexcept { return held_ != nullptr; }
  bool has_value() const noexcept { return held_ != nullptr; }
  T& operator*() { return *held_; }
  const T& operator*() const { return *held_; }
  T* operator->() { return held_.get(); }
  const T* operator->() const { return held_.get(); }
  template <class... Parts>
  T& emplace(Parts&&... parts) {
    held_ = std::make_unique<T>(std::forward<Parts>(parts)...);
    return *held_;
  }
  void reset() noexcept { held_.reset(); }
  operator std::optional<T>() const { return held_ ? std::optional<T>(*held_) : std::nullopt; }  // NOLINT(google-explicit-constructor)

 private:
  std::unique_ptr<T> held_;
};

}  // namespace mapflow
