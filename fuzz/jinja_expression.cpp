// Bare expressions, as conditions are.
#include <cstddef>
#include <cstdint>

#include "fuzz/jinja_harness.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace mapflow;
  const fuzz::Input input = fuzz::read_input({reinterpret_cast<const char*>(bytes), size});
  const jinja::Environment environment = fuzz::environment_of(input);
  if (const auto made = environment.compile_expression(input.source, {"fuzz.yaml", 3, 7})) fuzz::check(*made, input);
  return 0;
}
