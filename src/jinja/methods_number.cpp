// Methods of integers and floats.
#include <bit>
#include <cmath>
#include <cstdio>

#include "jinja/bigint.h"
#include "jinja/builtins.h"
#include "jinja/lookup.h"

namespace mapflow::jinja::detail {

namespace {

Cell bit_length(Vm&, const Cell* a, const Args&) {
  const Big value = abs(to_big(a[0]));
  return Cell::of(value == 0 ? std::int64_t{0} : static_cast<std::int64_t>(msb(value)) + 1);
}

Cell bit_count(Vm& vm, const Cell* a, const Args&) {
  std::int64_t bits = 0;
  for (Big value = abs(to_big(a[0])); value != 0; value >>= 32) {
    vm.tick();
    bits += __builtin_popcountll(static_cast<std::uint64_t>(value & 0xFFFFFFFFu));
  }
  return Cell::of(bits);
}

Cell conjugate(Vm& vm, const Cell* a, const Args&) { return negate(vm, a[0], false); }

Cell as_integer_ratio(Vm& vm, const Cell* a, const Args&) {
  if (!a[0].is(Kind::number)) return make_tuple(vm, {negate(vm, a[0], false), Cell::of(std::int64_t{1})});
  if (std::isnan(a[0].number)) vm.value_error("cannot convert NaN to integer ratio");
  if (std::isinf(a[0].number)) vm.value_error("cannot convert Infinity to integer ratio");
  int exponent = 0;
  double mantissa = std::frexp(a[0].number, &exponent);
  for (int i = 0; i < 300 && mantissa != std::floor(mantissa); ++i) {
    mantissa *= 2;
    --exponent;
  }
  Big numerator(mantissa), denominator(1);
  if (exponent > 0)
    numerator <<= static_cast<unsigned>(exponent);
  else
    denominator <<= static_cast<unsigned>(-exponent);
  return make_tuple(vm, {from_big(vm, numerator), from_big(vm, denominator)});
}

Cell is_integer(Vm&, const Cell* a, const Args&) {
  return Cell::of(std::isfinite(a[0].number) && a[0].number == std::floor(a[0].number));
}

// Python's float.hex(): 0x1.8000000000000p+0.
Cell hex(Vm& vm, const Cell* a, const Args&) {
  const double number = a[0].number;
  if (!std::isfinite(number)) return vm.text(float_text(number));
  if (number == 0) return vm.text(std::signbit(number) ? "-0x0.0p+0" : "0x0.0p+0");
  const auto bits = std::bit_cast<std::uint64_t>(number);
  const auto exponent = static_cast<int>(bits >> 52 & 0x7FF);
  char text[40];
  std::snprintf(text, sizeof text, "%s0x%d.%013llxp%+d", std::signbit(number) ? "-" : "", exponent == 0 ? 0 : 1,
                static_cast<unsigned long long>(bits & ((std::uint64_t{1} << 52) - 1)),
                exponent == 0 ? -1022 : exponent - 1023);
  return vm.text(text);
}

constexpr FunctionSpec kInteger[] = {
    {"as_integer_ratio", as_integer_ratio},
    {"bit_count", bit_count},
    {"bit_length", bit_length},
    {"conjugate", conjugate},
};
constexpr FunctionSpec kNumber[] = {
    {"as_integer_ratio", as_integer_ratio},
    {"conjugate", conjugate},
    {"hex", hex},
    {"is_integer", is_integer},
};

}  // namespace

std::span<const FunctionSpec> integer_methods() { return kInteger; }
std::span<const FunctionSpec> number_methods() { return kNumber; }

}  // namespace mapflow::jinja::detail
