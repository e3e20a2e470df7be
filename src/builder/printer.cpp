#include "builder/printer.h"

#include <openssl/evp.h>

#include <array>

#include "base/ensure.h"
#include "builder/shorthand.h"
#include "value/json.h"

namespace mapflow::builder {

namespace {

class Printer {
 public:
  explicit Printer(PlacesIn places) : keep_places_(places == PlacesIn::document) {}

  Value workflow(const Definition& definition) const {
    Object out;
    put_text(out, "id", definition.id);
    put_text(out, "name", definition.name);
    if (definition.version != "1") put_text(out, "version", definition.version);
    put_text(out, "description", definition.description);
    put_duration(out, "timeout", definition.timeout);
    if (definition.compensation_strategy != CompensationStrategy::backward)
      out.set("compensation_strategy", to_string(definition.compensation_strategy));
    put_texts(out, "tags", definition.tags);
    put_value(out, "variables_schema", definition.variables_schema);
    put_value(out, "variables", definition.variables);
    if (definition.budget != Budget{}) out.set("budget", budget(definition.budget));
    if (definition.concurrency) out.set("concurrency", concurrency(*definition.concurrency));
    if (definition.priority != kUsualPriority) out.set("priority", definition.priority);
    if (definition.max_depth != Definition{}.max_depth) out.set("max_depth", definition.max_depth);
    put_value(out, "metadata", definition.metadata);
    if (!definition.agents.empty()) out.set("agents", agents(definition.agents));
    put_texts(out, "include", definition.include);
    out.set("steps", block(definition.steps));
    if (!definition.compensation_steps.empty()) out.set("compensation_steps", block(definition.compensation_steps));
    if (keep_places_) {
      put_text(out, "$file", definition.file);
      put_places(out, definition.places, {});
    }
    return Value(std::move(out));
  }

 private:
  static void put_text(Object& out, std::string_view key, const std::string& text) {
    if (!text.empty()) out.set(key, text);
  }
  static void put_value(Object& out, std::string_view key, const Value& value) {
    if (!value.is_null()) out.set(key, value);
  }
  static void put_duration(Object& out, std::string_view key, const std::optional<Duration>& span) {
    if (span) out.set(key, format_duration(*span));
  }
  static void put_texts(Object& out, std::string_view key, const std::vector<std::string>& texts) {
    if (texts.empty()) return;
    Array items;
    for (const std::string& text : texts) items.push_back(Value(text));
    out.set(key, Value(std::move(items)));
  }

  /// The step's own place goes under "$".
  static void put_places(Object& out, const Places& places, const Location& own) {
    Object printed;
    const auto pair = [](const Location& at) { return array({at.line, at.column}); };
    if (own.known()) printed.set("$", pair(own));
    for (const auto& [path, at] : places)
      if (at.known()) printed.set(path, pair(at));
    if (!printed.empty()) out.set("$places", Value(std::move(printed)));
  }

  static Value budget(const Budget& budget) {
    Object out;
    if (budget.tokens) out.set("tokens", *budget.tokens);
    if (budget.cost_usd) out.set("cost_usd", *budget.cost_usd);
    if (budget.steps) out.set("steps", *budget.steps);
    put_duration(out, "wall_time", budget.wall_time);
    if (budget.suspend_when_exceeded) out.set("on_exceeded", "suspend");
    return Value(std::move(out));
  }

  static Value concurrency(const Concurrency& concurrency) {
    const Concurrency usual;
    Object out;
    if (concurrency.max_running) out.set("max_running", *concurrency.max_running);
    put_text(out, "key", concurrency.key);
    if (concurrency.limit != usual.limit) out.set("limit", concurrency.limit);
    if (concurrency.on_conflict != usual.on_conflict) out.set("on_conflict", to_string(concurrency.on_conflict));
    if (concurrency.max_waiting != usual.max_waiting) out.set("max_waiting", concurrency.max_waiting);
    return Value(std::move(out));
  }

  static Value step_budget(const StepBudget& budget) {
    Object out;
    if (budget.tokens) out.set("tokens", *budget.tokens);
    if (budget.cost_usd) out.set("cost_usd", *budget.cost_usd);
    return Value(std::move(out));
  }

  static Value agents(const std::vector<AgentConfig>& agents) {
    Object out;
    for (const AgentConfig& agent : agents) {
      Object printed;
      if (!agent.transport.empty()) printed.set(agent.transport, agent.settings.is_null() ? Value(Object{}) : agent.settings);
      if (agent.limits.is_object())
        for (const auto& [key, limit] : agent.limits.as_object()) printed.set(key, limit);
      out.set(agent.name, Value(std::move(printed)));
    }
    return Value(std::move(out));
  }

  Value block(const Block& steps) const {
    Array out;
    out.reserve(steps.size());
    for (const Step& each : steps) out.push_back(step(each));
    return Value(std::move(out));
  }

  Value step(const Step& step) const {
    Object out;
    put_text(out, "id", step.id);
    put_text(out, "name", step.name);
    put_text(out, "description", step.description);
    put_text(out, "type", step.type);
    if (!step.when.empty()) out.set("when", escape_shorthand(step.when));
    if (step.fields.is_object())
      for (const auto& [key, value] : step.fields.as_object()) out.set(key, escape_shorthands(value));
    for (std::size_t i = 0; i < step.branches.size();) i = put_branches(out, step.branches, i);
    put_duration(out, "timeout", step.timeout);
    put_duration(out, "total_timeout", step.total_timeout);
    if (step.retry) out.set("retry", retry(*step.retry));
    if (step.on_error == OnError::proceed || step.on_error == OnError::suspend) out.set("on_error", to_string(step.on_error));
    if (step.budget) out.set("budget", step_budget(*step.budget));
    for (const Branch& hook : step.hooks) out.set(hook.role, block(hook.steps));
    put_text(out, "output_key", step.output_key);
    put_text(out, "checkpoint", step.checkpoint);
    put_value(out, "metadata", step.metadata);
    if (keep_places_) put_places(out, step.places, step.where);
    return Value(std::move(out));
  }

  /// Prints all branches of the role that begins at `first`; gives the next one's position. Whether a role takes a list
  /// of steps, branches or cases can be told from what it holds, so the printer needs no table of kinds.
  std::size_t put_branches(Object& out, const std::vector<Branch>& branches, std::size_t first) const {
    const std::string& role = branches[first].role;
    Array printed;
    std::size_t next = first;
    for (; next < branches.size() && branches[next].role == role; ++next) {
      const Branch& branch = branches[next];
      if (!branch.when.empty()) {
        printed.push_back(object({{"when", escape_shorthand(branch.when)}, {"steps", block(branch.steps)}}));
      } else if (!branch.name.empty()) {
        printed.push_back(object({{branch.name, block(branch.steps)}}));
      } else {
        for (const Step& each : branch.steps) printed.push_back(step(each));
      }
    }
    out.set(role, Value(std::move(printed)));
    return next;
  }

  static Value retry(const RetryPolicy& policy) {
    const RetryPolicy usual;
    Object out;
    if (policy.strategy != usual.strategy) out.set("strategy", to_string(policy.strategy));
    put_text(out, "custom", policy.custom);
    out.set("max_attempts", policy.max_attempts);
    if (policy.initial_delay != usual.initial_delay) out.set("initial_delay", format_duration(policy.initial_delay));
    if (policy.max_delay != usual.max_delay) out.set("max_delay", format_duration(policy.max_delay));
    if (policy.backoff_factor != usual.backoff_factor) out.set("backoff_factor", policy.backoff_factor);
    if (policy.jitter != usual.jitter) out.set("jitter", policy.jitter);
    put_texts(out, "retry_on", policy.retry_on);
    put_texts(out, "abort_on", policy.abort_on);
    return Value(std::move(out));
  }

  bool keep_places_;
};

std::string sha256_hex(std::string_view bytes) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  ensure(EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, EVP_sha256(), nullptr) == 1, "SHA-256 is always there");
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string hex;
  for (unsigned i = 0; i < size; ++i) {
    hex += kDigits[digest[i] >> 4];
    hex += kDigits[digest[i] & 15];
  }
  return hex;
}

}  // namespace

Value to_document(const Definition& definition, PlacesIn places) { return Printer(places).workflow(definition); }

std::string content_hash(const Definition& definition) { return sha256_hex(to_canonical_json(to_document(definition))); }

}  // namespace mapflow::builder
