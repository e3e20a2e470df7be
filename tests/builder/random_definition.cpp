#include "builder/random_definition.h"

#include <algorithm>
#include <random>
#include <string>

namespace mapflow::test {

namespace {

class Maker {
 public:
  explicit Maker(std::uint32_t seed) : random_(seed) {}

  Definition definition() {
    Definition out;
    out.id = "flow";
    out.version = pick<std::string>({"1", "2.10", "beta"});
    if (chance(2)) out.name = text();
    if (chance(2)) out.description = text();
    if (chance(2)) out.timeout = span();
    if (chance(3)) out.tags = {text(), "b"};
    if (chance(3)) out.variables_schema = object({{"type", "object"}, {"properties", object({{"x", object({{"type", "number"}})}})}});
    if (chance(3)) out.variables = object({{"x", value(2)}, {"y", value(2)}});
    if (chance(3)) out.budget = {.tokens = number(1000), .cost_usd = 0.5, .wall_time = span(), .suspend_when_exceeded = chance(2)};
    if (chance(4)) out.max_depth = static_cast<std::uint32_t>(number(50) + 1);
    if (chance(4)) out.metadata = value(2);
    if (chance(2)) out.agents.push_back({.name = "s", .transport = "http", .settings = object({{"url", text()}}), .limits = object({{"max_concurrent", 3}})});
    if (chance(3)) {
      out.compensation_strategy = CompensationStrategy::custom;
      out.compensation_steps = block(1);
    } else {
      out.compensation_strategy = pick<CompensationStrategy>({CompensationStrategy::backward, CompensationStrategy::none, CompensationStrategy::forward});
    }
    out.steps = block(3);
    return out;
  }

 private:
  std::uint64_t number(std::uint64_t below) { return std::uniform_int_distribution<std::uint64_t>(0, below - 1)(random_); }
  bool chance(std::uint64_t in) { return number(in) == 0; }
  template <class T>
  T pick(std::vector<T> from) { return from[number(from.size())]; }

  std::string text() {
    return pick<std::string>({"plain", "{{ x.y }}", "a {{ b }} c", "${literal.name}", "$${twice}", "\"quoted\"", "line\nbreak", "é ü ß 😀", " spaces ", "12", "true",
                              "null", "- dash", "# hash", "a: b", "{% if x %}y{% endif %}", "$", "${", "${}", "$$"});
  }
  std::string expression() { return pick<std::string>({"x > 1", "results is defined", "a.b == '${c}'", "x and\n y", "items | length", "[1, 2]"}); }
  Duration span() { return Duration(static_cast<std::int64_t>(number(10'000'000'000))); }

  Value value(int depth) {
    switch (number(depth > 0 ? 7 : 5)) {
      case 0: return Value(static_cast<std::int64_t>(number(1000)) - 500);
      case 1: return Value(static_cast<double>(number(1000)) / 8);
      case 2: return Value(chance(2));
      case 3: return Value(text());
      case 4: return Value();
      case 5: return array({value(depth - 1), value(depth - 1)});
      default: return object({{"k", value(depth - 1)}, {"key with spaces", value(depth - 1)}, {"${odd}", value(depth - 1)}});
    }
  }

  Block block(int depth) {
    Block steps;
    for (std::uint64_t i = 0, count = number(3) + 1; i < count; ++i) steps.push_back(step(depth));
    return steps;
  }

  Branch branch(std::string role, int depth, std::string name = {}, std::string when = {}) {
    return {.role = std::move(role), .name = std::move(name), .when = std::move(when), .steps = block(depth), .where = {}};
  }

  Step step(int depth) {
    Step out;
    out.id = "s" + std::to_string(++ids_);
    if (chance(3)) out.name = text();
    if (chance(4)) out.description = text();
    if (chance(4)) out.when = expression();
    if (chance(3)) out.timeout = span();
    if (chance(4)) out.total_timeout = span();
    if (chance(3)) out.retry = retry();
    if (chance(4)) out.on_error = pick<OnError>({OnError::proceed, OnError::suspend});
    if (chance(4)) out.output_key = "a.b";
    if (chance(4)) out.checkpoint = "half way";
    if (chance(4)) out.metadata = object({{"note", value(1)}});
    fill(out, depth);
    if (depth > 0 && chance(5)) {
      out.on_error = OnError::handle;
      out.hooks.push_back(branch("on_error", depth - 1));
    }
    if (depth > 0 && chance(4)) out.hooks.push_back(branch("compensate", depth - 1));
    return out;
  }

  RetryPolicy retry() {
    RetryPolicy policy;
    policy.strategy = pick<RetryStrategy>({RetryStrategy::none, RetryStrategy::immediate, RetryStrategy::linear, RetryStrategy::exponential});
    policy.max_attempts = static_cast<std::uint32_t>(number(9) + 1);
    if (chance(2)) policy.initial_delay = span();
    if (chance(2)) policy.max_delay = span();
    if (chance(2)) policy.backoff_factor = 1.5;
    if (chance(2)) policy.jitter = 0.25;
    if (chance(2)) policy.retry_on = {"timeout", "x"};
    if (chance(2)) policy.abort_on = {"y"};
    return policy;
  }

  void fill(Step& out, int depth) {
    switch (number(depth > 0 ? 8 : 4)) {
      case 0:
        out.type = "message";
        out.fields = object({{"destination", "s"}, {"data", value(3)}, {"headers", object({{"h", text()}})}, {"priority", "high"}});
        if (out.fields.find("data")->is_null()) out.fields.erase("data");
        break;
      case 1:
        out.type = "wait";
        out.fields = chance(2) ? object({{"duration", "1m"}}) : object({{"signal", text()}});
        break;
      case 2:
        out.type = "transform";
        out.fields = object({{"transformations", object({{"x", value(2)}, {"y.z", value(1)}})}, {"assert", array({expression(), expression()})}});
        break;
      case 3:
        out.type = "aggregate";
        out.fields = object({{"source_steps", array({"a", "b[*]"})}, {"weight", 2.5}, {"where", expression()}});
        break;
      case 4:
        out.type = "sequence";
        out.branches.push_back(branch("steps", depth - 1));
        break;
      case 5:
        out.type = "conditional";
        if (chance(2)) {
          out.fields = object({{"condition", expression()}});
          out.branches.push_back(branch("if_true", depth - 1));
          if (chance(2)) out.branches.push_back({.role = "if_false", .name = "", .when = "", .steps = {}, .where = {}});
        } else {
          out.branches.push_back(branch("switch", depth - 1, "", expression()));
          out.branches.push_back(branch("switch", depth - 1, "", expression()));
          out.branches.push_back(branch("otherwise", depth - 1));
        }
        break;
      case 6:
        out.type = "loop";
        out.fields = object({{"items", chance(2) ? Value(expression()) : array({1, text()})}, {"loop_var", "it"}});
        out.branches.push_back(branch("body", depth - 1));
        break;
      default:
        out.type = "parallel";
        out.fields = object({{"wait_strategy", chance(2) ? Value("any") : Value(1)}});
        out.branches.push_back({.role = "steps", .name = "", .when = "", .steps = {step(depth - 1)}, .where = {}});
        out.branches.push_back(branch("steps", depth - 1, pick<std::string>({"left", "type", "two words"})));
        break;
    }
  }

  std::mt19937 random_;
  std::uint64_t ids_ = 0;
};

bool same_steps(const Block& a, const Block& b);

bool same_branches(const std::vector<Branch>& a, const std::vector<Branch>& b) {
  return std::ranges::equal(a, b, [](const Branch& x, const Branch& y) {
    return x.role == y.role && x.name == y.name && x.when == y.when && same_steps(x.steps, y.steps);
  });
}

bool same_steps(const Block& a, const Block& b) {
  return std::ranges::equal(a, b, [](const Step& x, const Step& y) {
    return x.id == y.id && x.name == y.name && x.description == y.description && x.type == y.type && x.when == y.when && x.timeout == y.timeout &&
           x.total_timeout == y.total_timeout && x.retry == y.retry && x.on_error == y.on_error && x.output_key == y.output_key && x.checkpoint == y.checkpoint &&
           x.metadata.identical(y.metadata) && x.fields.identical(y.fields) && same_branches(x.branches, y.branches) && same_branches(x.hooks, y.hooks);
  });
}

}  // namespace

Definition random_definition(std::uint32_t seed) { return Maker(seed).definition(); }

bool same(const Definition& a, const Definition& b) {
  const auto same_agent = [](const AgentConfig& x, const AgentConfig& y) {
    return x.name == y.name && x.transport == y.transport && x.settings.identical(y.settings) && x.limits.identical(y.limits);
  };
  return a.id == b.id && a.name == b.name && a.version == b.version && a.description == b.description && a.timeout == b.timeout &&
         a.compensation_strategy == b.compensation_strategy && a.tags == b.tags && a.variables_schema.identical(b.variables_schema) &&
         a.variables.identical(b.variables) && a.budget == b.budget && a.max_depth == b.max_depth && a.metadata.identical(b.metadata) &&
         a.include == b.include && std::ranges::equal(a.agents, b.agents, same_agent) && same_steps(a.steps, b.steps) &&
         same_steps(a.compensation_steps, b.compensation_steps);
}

}  // namespace mapflow::test
