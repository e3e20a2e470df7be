// Python's numbers: integers without bounds (but for the limit), floats, and how they mix.
#include <charconv>
#include <cmath>
#include <limits>

#include "jinja/bigint.h"
#include "jinja/format.h"
#include "jinja/runtime.h"

namespace mapflow::jinja::detail {

namespace {

constexpr std::int64_t kMin = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();

std::size_t bits_of(const Big& big) { return big == 0 ? 0 : boost::multiprecision::msb(abs(big)) + 1; }

std::string_view symbol(Arithmetic op) {
  static constexpr std::string_view symbols[] = {"+", "-", "*", "/", "//", "%", "** or pow()"};
  return symbols[static_cast<std::size_t>(op)];
}

[[noreturn]] void unsupported(Vm& vm, Arithmetic op, Cell a, Cell b) {
  if (a.is(Kind::undefined)) vm.fail_undefined(a);
  if (b.is(Kind::undefined)) vm.fail_undefined(b);
  vm.type_error("unsupported operand type(s) for " + std::string(symbol(op)) + ": '" + type_name(a) + "' and '" +
                type_name(b) + "'");
}

// Rounds a fraction to the nearest double, ties to even, as Python does for integers of any size.
double divide_exactly(Vm& vm, Big a, Big b) {
  const bool negative = (a < 0) != (b < 0);
  a = abs(a);
  b = abs(b);
  if (a == 0) return negative ? -0.0 : 0.0;
  const auto shift = 66 - (static_cast<std::int64_t>(bits_of(a)) - static_cast<std::int64_t>(bits_of(b)));
  if (shift > 0)
    a <<= static_cast<unsigned>(shift);
  else
    b <<= static_cast<unsigned>(-shift);
  Big quotient, rest;
  divide_qr(a, b, quotient, rest);
  // 66 or 67 bits: keep 64 of them, the lowest of which also says whether anything was cut off.
  int exponent = static_cast<int>(-shift);
  const auto extra = static_cast<unsigned>(bits_of(quotient) - 62);
  const bool sticky = rest != 0 || (quotient & ((Big(1) << extra) - 1)) != 0;
  auto mantissa = static_cast<std::uint64_t>(quotient >> extra);
  exponent += static_cast<int>(extra);
  if (sticky) mantissa |= 1;
  const double result = std::ldexp(static_cast<double>(mantissa), exponent);
  if (std::isinf(result)) vm.value_error("integer division result too large for a float");
  return negative ? -result : result;
}

double float_mod(double a, double b) {
  double mod = std::fmod(a, b);
  if (mod != 0.0) {
    if ((b < 0) != (mod < 0)) mod += b;
  } else {
    mod = std::copysign(0.0, b);
  }
  return mod;
}

double float_floordiv(double a, double b) {
  const double mod = std::fmod(a, b);
  double div = (a - mod) / b;
  if (mod != 0.0 && (b < 0) != (mod < 0)) div -= 1.0;
  if (div == 0.0) return std::copysign(0.0, a / b);
  double floored = std::floor(div);
  if (div - floored > 0.5) floored += 1.0;
  return floored;
}

double float_pow(Vm& vm, double a, double b) {
  if (a == 0.0 && b < 0) vm.value_error("0.0 cannot be raised to a negative power");
  if (a < 0 && std::isfinite(a) && std::isfinite(b) && b != std::floor(b))
    vm.value_error("a negative number cannot be raised to a fractional power");
  const double result = std::pow(a, b);
  if (std::isinf(result) && std::isfinite(a) && std::isfinite(b))
    vm.value_error("the result of ** is too large for a float");
  return result;
}

Cell float_arithmetic(Vm& vm, Arithmetic op, double a, double b) {
  switch (op) {
    case Arithmetic::add: return Cell::of(a + b);
    case Arithmetic::sub: return Cell::of(a - b);
    case Arithmetic::mul: return Cell::of(a * b);
    case Arithmetic::div:
      if (b == 0) vm.value_error("float division by zero");
      return Cell::of(a / b);
    case Arithmetic::floordiv:
      if (b == 0) vm.value_error("float floor division by zero");
      return Cell::of(float_floordiv(a, b));
    case Arithmetic::mod:
      if (b == 0) vm.value_error("float modulo");
      return Cell::of(float_mod(a, b));
    case Arithmetic::pow: break;
  }
  return Cell::of(float_pow(vm, a, b));
}

Cell big_pow(Vm& vm, const Big& base, const Big& exponent) {
  const std::size_t base_bits = bits_of(base);
  if (base_bits > 1 && (exponent > vm.limits.integer_bits ||
                        base_bits * static_cast<std::uint64_t>(exponent) > vm.limits.integer_bits + base_bits))
    vm.limit_error("the integer is larger than its limit allows");
  if (base_bits <= 1) {  // -1, 0, 1
    if (base == 0) return Cell::of(std::int64_t{exponent == 0});
    return Cell::of(std::int64_t{base == 1 || exponent % 2 == 0 ? 1 : -1});
  }
  return from_big(vm, pow(base, static_cast<unsigned>(exponent)));
}

Cell big_arithmetic(Vm& vm, Arithmetic op, const Big& a, const Big& b) {
  switch (op) {
    case Arithmetic::add: return from_big(vm, a + b);
    case Arithmetic::sub: return from_big(vm, a - b);
    case Arithmetic::mul:
      if (bits_of(a) + bits_of(b) > vm.limits.integer_bits + 64)
        vm.limit_error("the integer is larger than its limit allows");
      return from_big(vm, a * b);
    case Arithmetic::div:
      if (b == 0) vm.value_error("division by zero");
      return Cell::of(divide_exactly(vm, a, b));
    case Arithmetic::floordiv:
    case Arithmetic::mod: {
      if (b == 0)
        vm.value_error(op == Arithmetic::mod ? "integer modulo by zero" : "integer division or modulo by zero");
      Big quotient, rest;
      divide_qr(a, b, quotient, rest);
      if (rest != 0 && (rest < 0) != (b < 0)) {
        quotient -= 1;
        rest += b;
      }
      return from_big(vm, op == Arithmetic::mod ? rest : quotient);
    }
    case Arithmetic::pow: break;
  }
  if (b < 0) {
    if (a == 0) vm.value_error("0.0 cannot be raised to a negative power");
    return Cell::of(float_pow(vm, to_double(vm, from_big(vm, a)), to_double(vm, from_big(vm, b))));
  }
  return big_pow(vm, a, b);
}

Cell small_arithmetic(Vm& vm, Arithmetic op, std::int64_t a, std::int64_t b) {
  std::int64_t result = 0;
  switch (op) {
    case Arithmetic::add:
      if (!__builtin_add_overflow(a, b, &result)) return Cell::of(result);
      break;
    case Arithmetic::sub:
      if (!__builtin_sub_overflow(a, b, &result)) return Cell::of(result);
      break;
    case Arithmetic::mul:
      if (!__builtin_mul_overflow(a, b, &result)) return Cell::of(result);
      break;
    case Arithmetic::div: {
      if (b == 0) vm.value_error("division by zero");
      constexpr std::int64_t exact = std::int64_t{1} << 53;
      if (a >= -exact && a <= exact && b >= -exact && b <= exact)
        return Cell::of(static_cast<double>(a) / static_cast<double>(b));
      break;
    }
    case Arithmetic::floordiv:
    case Arithmetic::mod: {
      if (b == 0)
        vm.value_error(op == Arithmetic::mod ? "integer modulo by zero" : "integer division or modulo by zero");
      if (a == kMin && b == -1) break;
      std::int64_t quotient = a / b;
      std::int64_t rest = a % b;
      if (rest != 0 && (rest < 0) != (b < 0)) {
        --quotient;
        rest += b;
      }
      return Cell::of(op == Arithmetic::mod ? rest : quotient);
    }
    case Arithmetic::pow: break;
  }
  return big_arithmetic(vm, op, a, b);
}

}  // namespace

std::optional<std::int64_t> whole(Cell cell) {
  if (cell.is(Kind::integer)) return cell.integer;
  if (cell.is(Kind::boolean)) return cell.boolean;
  return std::nullopt;
}

Big to_big(Cell integer) { return integer.is(Kind::bigint) ? *integer.as<Big>() : Big(*whole(integer)); }

Cell from_big(Vm& vm, Big big) {
  if (big >= kMin && big <= kMax) return Cell::of(static_cast<std::int64_t>(big));
  const std::size_t bits = bits_of(big);
  if (bits > vm.limits.integer_bits) vm.limit_error("the integer is larger than its limit allows");
  vm.arena.charge(bits / 8);
  vm.tick(bits / 64);
  Big* kept = new (vm.arena.allocate(sizeof(Big))) Big(std::move(big));
  vm.arena.finalize(kept, [](void* object) { static_cast<Big*>(object)->~Big(); });
  return Cell::made(Kind::bigint, kept);
}

double to_double(Vm& vm, Cell number) {
  if (number.is(Kind::number)) return number.number;
  if (const auto small = whole(number)) return static_cast<double>(*small);
  return divide_exactly(vm, *number.as<Big>(), 1);
}

std::string big_text(Vm& vm, const Big& big) {
  vm.tick(bits_of(big) / 16);
  return big.str();
}

Cell arithmetic(Vm& vm, Arithmetic op, Cell a, Cell b) {
  check_opaque(vm, a);
  check_opaque(vm, b);
  const auto small_a = whole(a), small_b = whole(b);
  if (small_a && small_b) return small_arithmetic(vm, op, *small_a, *small_b);
  if (a.is_number() && b.is_number()) {
    if (a.is_int() && b.is_int()) return big_arithmetic(vm, op, to_big(a), to_big(b));
    return float_arithmetic(vm, op, to_double(vm, a), to_double(vm, b));
  }
  if (op == Arithmetic::mod && a.is_text()) return format_percent(vm, a, b);
  if (op == Arithmetic::add && !b.is(Kind::undefined))
    if (const Cell joined = concatenate(vm, a, b); !joined.is(Kind::unset)) return joined;
  if (op == Arithmetic::mul) {
    if (b.is_int() && (a.is_text() || a.is_sequence())) return repeat(vm, a, b);
    if (a.is_int() && (b.is_text() || b.is_sequence())) return repeat(vm, b, a);
  }
  unsupported(vm, op, a, b);
}

Cell negate(Vm& vm, Cell a, bool negative) {
  check_opaque(vm, a);
  if (a.is(Kind::undefined)) vm.fail_undefined(a);
  if (!a.is_number())
    vm.type_error(std::string("bad operand type for unary ") + (negative ? "-" : "+") + ": '" + type_name(a) + "'");
  if (a.is(Kind::number)) return Cell::of(negative ? -a.number : a.number);
  if (const auto small = whole(a); small && *small != kMin) return Cell::of(negative ? -*small : *small);
  return from_big(vm, negative ? Big(-to_big(a)) : to_big(a));
}

std::partial_ordering compare_numbers(Cell a, Cell b) {
  if (a.is_int() && b.is_int()) {
    const auto small_a = whole(a), small_b = whole(b);
    if (small_a && small_b) return *small_a <=> *small_b;
    const int order = to_big(a).compare(to_big(b));
    return order < 0   ? std::partial_ordering::less
           : order > 0 ? std::partial_ordering::greater
                       : std::partial_ordering::equivalent;
  }
  if (a.is(Kind::number) && b.is(Kind::number)) return a.number <=> b.number;
  if (b.is(Kind::number)) {
    const auto reversed = compare_numbers(b, a);
    return reversed == std::partial_ordering::less      ? std::partial_ordering::greater
           : reversed == std::partial_ordering::greater ? std::partial_ordering::less
                                                        : reversed;
  }
  // A float against an integer, exactly: by the integer part first, then by what is left.
  const auto by_rest = [&](std::strong_ordering whole_part, double floored) -> std::partial_ordering {
    if (whole_part != 0) return whole_part;
    return a.number > floored ? std::partial_ordering::greater : std::partial_ordering::equivalent;
  };
  if (std::isnan(a.number)) return std::partial_ordering::unordered;
  if (std::isinf(a.number)) return a.number > 0 ? std::partial_ordering::greater : std::partial_ordering::less;
  const double floored = std::floor(a.number);
  if (const auto small = whole(b); small && std::fabs(floored) < 0x1p63)
    return by_rest(static_cast<std::int64_t>(floored) <=> *small, floored);
  return by_rest(Big(floored).compare(to_big(b)) <=> 0, floored);
}

std::int64_t index(Vm& vm, Cell cell, std::string_view what) {
  if (const auto small = whole(cell)) return *small;
  if (cell.is(Kind::bigint)) return *cell.as<Big>() < 0 ? kMin : kMax;
  if (cell.is(Kind::undefined)) vm.fail_undefined(cell);
  vm.type_error("'" + type_name(cell) + "' object cannot be interpreted as " + std::string(what));
}

Cell parse_integer(Vm& vm, std::string_view digits, int base) {
  const bool negative = digits.starts_with('-');
  if (digits.starts_with('-') || digits.starts_with('+')) digits.remove_prefix(1);
  if (digits.empty()) return Cell::unset();
  if (digits.size() > vm.limits.integer_bits / 3 + 64) vm.limit_error("the integer is larger than its limit allows");
  vm.tick(digits.size());
  const auto value_of = [](char c) {
    const char low = static_cast<char>(c | 0x20);
    return c >= '0' && c <= '9' ? c - '0' : low >= 'a' && low <= 'z' ? low - 'a' + 10 : 99;
  };
  for (const char c : digits)
    if (value_of(c) >= base) return Cell::unset();
  std::int64_t small = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), small, base);
  if (error == std::errc()) return Cell::of(negative ? -small : small);
  Big big = 0;
  for (const char c : digits) big = big * base + value_of(c);
  return from_big(vm, negative ? Big(-big) : big);
}

Cell integer_of(Vm& vm, double number) {
  if (std::isnan(number)) vm.value_error("cannot convert float NaN to integer");
  if (std::isinf(number)) vm.value_error("cannot convert float infinity to integer");
  const double cut = std::trunc(number);
  if (cut >= -9.2e18 && cut <= 9.2e18) return Cell::of(static_cast<std::int64_t>(cut));
  return from_big(vm, Big(cut));
}

}  // namespace mapflow::jinja::detail
