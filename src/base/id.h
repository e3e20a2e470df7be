// Strong identifiers: a StepIndex is not a RunId, though both are numbers.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>

namespace mapflow {

/// A number that only mixes with others of the same Tag. Cheap to copy; ordered and hashable by value.
template <class Tag, class Number = std::uint32_t>
struct StrongId {
  Number value = 0;

  constexpr StrongId() = default;
  constexpr explicit StrongId(Number number) : value(number) {}
  constexpr auto operator<=>(const StrongId&) const = default;
};

}  // namespace mapflow

template <class Tag, class Number>
struct std::hash<mapflow::StrongId<Tag, Number>> {
  std::size_t operator()(mapflow::StrongId<Tag, Number> id) const noexcept { return std::hash<Number>{}(id.value); }
};
