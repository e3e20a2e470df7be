// Random chains: what is built, printed and read back is the same definition.
#include <doctest/doctest.h>

#include <random>

#include "builder/printer.h"
#include "builder/reader.h"
#include "builder/validator.h"
#include "fluent/workflow.h"
#include "value/json.h"

using namespace mapflow;

namespace {

class Maker {
 public:
  explicit Maker(std::uint32_t seed) : random_(seed) {}

  Result<Definition> definition() {
    auto flow = workflow("flow").with_version("2.0").with_variables({{"x", value(2)}}).with_agent("a", "exec", {{"command", array({text()})}}, {{"key", "x.y"}});
    if (chance(2)) flow.with_timeout(span());
    if (chance(2)) flow.with_description(text());
    if (chance(3)) flow.with_compensation(block(1));
    fill(flow, 4);
    return flow.build();
  }

 private:
  std::uint64_t number(std::uint64_t below) { return std::uniform_int_distribution<std::uint64_t>(0, below - 1)(random_); }
  bool chance(std::uint64_t in) { return number(in) == 0; }
  template <class T>
  T pick(std::vector<T> from) { return from[number(from.size())]; }
  std::string text() {
    return pick<std::string>({"plain", "{{ x.y }}", "a {{ x }} c", "${x.name}", "$${twice}", "\"quoted\"", "line\nbreak", "é ü 😀", " spaces ", "12", "true", "- dash", "a: b", "{% if x %}y{% endif %}", "$", "${", "$$"});
  }
  std::string condition() { return pick<std::string>({"x > 1", "{{ x }}", "x == '${x}'", "x and\n not x", "${x} > 3"}); }
  Duration span() { return Duration(static_cast<std::int64_t>(number(10'000'000'000)) + 1); }
  Value value(int depth) {
    switch (number(depth > 0 ? 6 : 4)) {
      case 0: return Value(static_cast<std::int64_t>(number(1000)) - 500);
      case 1: return Value(static_cast<double>(number(1000)) / 8);
      case 2: return Value(chance(2));
      case 3: return Value(text());
      case 4: return array({value(depth - 1), Value(), value(depth - 1)});
      default: return object({{"k", value(depth - 1)}, {"key with spaces", value(depth - 1)}, {"${odd}", Value()}});
    }
  }

  Steps block(int depth, std::string_view name = {}) {
    auto made = branch(name);
    fill(made, depth);
    return made;
  }

  template <class Chain>
  void fill(const Chain& chain, int depth) {
    for (std::uint64_t i = 0, count = number(3) + 1; i < count; ++i) add(chain, depth);
  }

  template <class Chain>
  void add(const Chain& chain, int depth) {
    switch (number(depth > 0 ? 13 : 7)) {
      case 0: return extras(chain.message("a", text(), {{"d", value(3)}}).with_headers({{"h", text()}}), depth);
      case 1: return extras(chain.custom("h", value(2)), depth);
      case 2: return extras(chain.wait(span()), depth);
      case 3: return extras(chain.wait_for_signal("go").with_timeout(span()).on_timeout(branch().wait(span())), depth);
      case 4: return extras(chain.transform({{"x", value(2)}, {"y.z", value(1)}}).asserting({condition(), condition()}), depth);
      case 5: return extras(chain.human("boss", text()).with_priority(Priority::low), depth);
      case 6: return extras(chain.wait_for_condition(condition()), depth);
      case 7: return extras(chain.parallel("fan_" + std::to_string(++ids_), block(depth - 1, "left"), block(depth - 1, pick<std::string>({"type", "two words"}))), depth);
      case 8: return extras(chain.if_condition(condition(), block(depth - 1)).otherwise(block(depth - 1)), depth);
      case 9: return extras(chain.switch_(when(condition(), block(depth - 1)), when(condition(), block(depth - 1))), depth);
      case 10: return extras(chain.for_each(array({1, text()}), block(depth - 1)).with_loop_variable("it"), depth);
      case 11: return extras(chain.while_(condition(), block(depth - 1)).with_max_iterations(3), depth);
      default: return extras(chain.sequence(block(depth - 1)), depth);
    }
  }

  template <class Chain>
  void extras(const Chain& chain, int depth) {
    if (chance(4)) chain.with_id("s_" + std::to_string(++ids_));
    if (chance(4)) chain.with_name(text()).with_metadata({{"m", value(1)}});
    if (chance(4)) chain.when(condition());
    if (chance(4)) chain.with_retry({.strategy = RetryStrategy::linear, .max_attempts = 4, .jitter = 0.25, .retry_on = {"timeout"}});
    if (chance(4)) chain.with_total_timeout(span());
    if (chance(5)) chain.with_checkpoint("here");
    if (chance(5)) chain.continue_on_failure();
    if (depth > 0 && chance(5)) chain.with_compensation(block(depth - 1));
    if (depth > 0 && chance(5)) chain.on_failure(block(depth - 1));
    if (depth > 0 && chance(5)) chain.on_success(block(depth - 1));
  }

  std::mt19937 random_;
  int ids_ = 0;
};

}  // namespace

TEST_CASE("random chains survive printing and reading") {
  for (std::uint32_t seed = 1; seed <= 300; ++seed) {
    INFO("seed " << seed);
    const auto built = Maker(seed).definition();
    INFO((built ? "" : built.error().to_string()));
    REQUIRE(built);
    const std::string printed = to_json(builder::to_document(*built));
    const builder::ReadResult read = builder::read_definitions(printed, "flow.json", fluent::built_in_kinds());
    REQUIRE(read.diagnostics.empty());
    CHECK(to_json(builder::to_document(read.definitions.at(0))) == printed);
    CHECK(builder::content_hash(read.definitions.at(0)) == builder::content_hash(*built));
  }
}
