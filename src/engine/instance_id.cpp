#include "engine/instance_id.h"

#include <chrono>
#include <cstdint>
#include <string_view>

namespace mapflow::engine {
namespace {

constexpr std::string_view kDigits = "0123456789abcdefghjkmnpqrstvwxyz";

void append_digits(std::string& out, std::uint64_t bits, int digits) {
  for (int digit = digits - 1; digit >= 0; --digit) out += kDigits[(bits >> (5 * digit)) & 31u];
}

}  // namespace

std::string make_instance_id(Timestamp now, Random& random) {
  const auto millis = std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count();
  std::string id;
  id.reserve(26);
  append_digits(id, static_cast<std::uint64_t>(millis), 10);
  append_digits(id, random.next(), 8);
  append_digits(id, random.next(), 8);
  return id;
}

}  // namespace mapflow::engine
