#include "builder/json_schema.h"

#include <initializer_list>
#include <string>
#include <string_view>

namespace mapflow::builder {

namespace {

Value reference(std::string_view name) { return object({{"$ref", "#/$defs/" + std::string(name)}}); }
Value type(std::string_view name) { return object({{"type", name}}); }
Value any_of(std::initializer_list<Value> ways) { return object({{"anyOf", Value(Array(ways))}}); }
Value list_of(Value item) { return object({{"type", "array"}, {"items", std::move(item)}}); }
Value at_least(std::int64_t least) { return object({{"type", "integer"}, {"minimum", least}}); }
Value one_of_texts(const std::vector<std::string>& texts) { return object({{"enum", Value(Array(texts.begin(), texts.end()))}}); }

Value documented(Value schema, std::string_view doc) {
  Value out(Object{});
  out.set("description", doc);
  for (const auto& [key, value] : schema.as_object()) out.set(key, value);
  return out;
}

Value closed(Value properties, std::vector<std::string> required = {}) {
  Value out = object({{"type", "object"}, {"properties", std::move(properties)}});
  if (!required.empty()) out.set("required", Value(Array(required.begin(), required.end())));
  out.set("additionalProperties", false);
  return out;
}

/// What a field of this type may hold.
Value of_type(const FieldSpec& spec) {
  switch (spec.type) {
    case FieldType::expression: return reference("expression");
    case FieldType::expressions: return any_of({reference("expression"), list_of(reference("expression"))});
    case FieldType::items: return any_of({type("string"), at_least(0), type("array"), type("object")});
    case FieldType::text:
    case FieldType::name: return reference("text");
    case FieldType::value: return Value(Object{});
    case FieldType::object: return type("object");
    case FieldType::names: return any_of({reference("text"), list_of(reference("text"))});
    case FieldType::duration: return reference("duration");
    case FieldType::integer: return type("integer");
    case FieldType::number: return type("number");
    case FieldType::boolean: return type("boolean");
    case FieldType::choice: return one_of_texts(spec.choices);
    case FieldType::choice_or_count: return any_of({one_of_texts(spec.choices), at_least(1)});
    case FieldType::schema: return object({{"type", array({"object", "boolean"})}});
    case FieldType::steps: return reference("steps");
    case FieldType::branches: return reference("branches");
    case FieldType::cases: return reference("cases");
  }
  return Value(Object{});
}

/// The fields that every step has. read_step (step_reader.cpp) takes them; a test compares the two.
Value common_fields() {
  return object({
      {"id", documented(reference("text"), "Unique in the workflow; made up when left out.")},
      {"name", documented(reference("text"), "For people.")},
      {"description", documented(reference("text"), "For people.")},
      {"when", documented(reference("expression"), "The step is skipped when it does not hold.")},
      {"timeout", documented(reference("duration"), "Of one attempt.")},
      {"total_timeout", documented(reference("duration"), "Of all attempts and the pauses between them.")},
      {"retry", reference("retry")},
      {"budget", documented(closed(object({{"tokens", at_least(0)}, {"cost_usd", object({{"type", "number"}, {"minimum", 0}})}})),
                            "What one call uses at most: so much is set aside for it.")},
      {"on_error", documented(any_of({one_of_texts({"fail", "continue", "suspend"}), reference("steps")}),
                              "What a failure means: the workflow's, none, a person decides, or steps that handle it.")},
      {"on_success", documented(reference("steps"), "Steps that run after it.")},
      {"compensate", documented(reference("steps"), "Steps that undo it; they see original.input and original.result.")},
      {"fallback", documented(reference("steps"), "Steps that run instead while the agent's circuit is open.")},
      {"output_key", documented(reference("text"), "A dotted variable that gets the result, too.")},
      {"checkpoint", documented(reference("text"), "Names a checkpoint that is made when the step has completed: a place to rewind to.")},
      {"metadata", Value(Object{})},
  });
}

/// A step of one kind: the common fields and its own.
Value kind_schema(const KindSchema& kind) {
  Value properties = common_fields();
  properties.set("type", object({{"const", kind.name}}));
  std::vector<std::string> required{"type"};
  for (const FieldSpec& spec : kind.fields) {
    Value field = documented(of_type(spec), spec.doc);
    if (!spec.otherwise.is_null()) field.set("default", spec.otherwise);
    properties.set(Text(spec.name), std::move(field));
    if (spec.required) required.push_back(spec.name);
  }
  return documented(closed(std::move(properties), std::move(required)), kind.doc);
}

Value retry() {
  const Value strategy = one_of_texts({"none", "immediate", "linear", "exponential", "custom"});
  const Value attempts = object({{"type", "integer"}, {"minimum", 1}, {"maximum", 1'000'000}});
  const Value codes = any_of({reference("text"), list_of(reference("text"))});
  return documented(any_of({attempts, strategy,
                            closed(object({{"strategy", strategy}, {"max_attempts", attempts}, {"initial_delay", reference("duration")},
                                           {"max_delay", reference("duration")}, {"backoff_factor", object({{"type", "number"}, {"minimum", 1}, {"maximum", 1000}})},
                                           {"jitter", object({{"type", "number"}, {"minimum", 0}, {"maximum", 1}})}, {"retry_on", codes}, {"abort_on", codes},
                                           {"custom", reference("text")}}))}),
                    "How often and when to try again: a number of attempts, a strategy, or both in an object.");
}

Value agent() {
  const Value rate = any_of({object({{"type", "string"}, {"pattern", "^[0-9.]+/[smhd]$"}}),
                             closed(object({{"rate", type("number")}, {"per", reference("duration")}, {"burst", at_least(1)}}), {"rate"})});
  Value properties(Object{});
  for (const char* transport : {"exec", "http", "queue", "human", "chat", "mcp", "a2a", "handler"}) properties.set(transport, Value(Object{}));
  properties.set("rate_limit", documented(rate, "50/s, 100/m, or {rate, per, burst}."));
  properties.set("max_concurrent", documented(at_least(1), "Messages under way at once."));
  properties.set("bulkhead", documented(at_least(0), "How many may wait in line."));
  properties.set("circuit_breaker", closed(object({{"failure_threshold", at_least(1)}, {"window", reference("duration")},
                                                   {"open_for", reference("duration")}, {"probes", at_least(1)}})));
  properties.set("key", documented(reference("expression"), "The limits count for each of its values apart."));
  return closed(std::move(properties));
}

Value budget() {
  return closed(object({{"tokens", at_least(0)}, {"cost_usd", object({{"type", "number"}, {"minimum", 0}})}, {"steps", at_least(0)},
                        {"wall_time", reference("duration")}, {"on_exceeded", one_of_texts({"fail", "suspend"})}}));
}

Value concurrency() {
  return closed(object({{"max_running", at_least(1)}, {"key", reference("expression")}, {"limit", at_least(1)},
                        {"on_conflict", one_of_texts({"queue", "reject", "replace"})}, {"max_waiting", at_least(0)}}));
}

/// The head of a workflow. read_workflow (workflow_reader.cpp) takes these; a test compares the two.
Value head_fields() {
  const Value texts = any_of({reference("text"), list_of(reference("text"))});
  return object({
      {"$schema", type("string")},
      {"id", documented(reference("text"), "The workflow's id.")},
      {"name", documented(reference("text"), "For people.")},
      {"version", documented(reference("text"), "A text; numbers count as they are written.")},
      {"description", documented(reference("text"), "For people.")},
      {"timeout", documented(reference("duration"), "Of the whole run, pauses not counted.")},
      {"compensation_strategy", documented(one_of_texts({"none", "backward", "forward", "parallel", "custom"}), "How to undo.")},
      {"compensation_steps", documented(reference("steps"), "The steps of strategy custom; they see compensations.")},
      {"tags", documented(texts, "For finding instances.")},
      {"variables_schema", documented(object({{"type", array({"object", "boolean"})}}), "JSON Schema of the input.")},
      {"variables", documented(type("object"), "Variables and their values at the start; the input is laid over them.")},
      {"budget", documented(budget(), "What a run may spend.")},
      {"concurrency", documented(concurrency(), "How many of its instances run at once, by number and by key.")},
      {"priority", documented(object({{"type", "integer"}, {"minimum", 0}, {"maximum", 9}}), "How urgent its instances are that wait for their turn.")},
      {"max_depth", documented(at_least(1), "How deep workflows may call workflows.")},
      {"metadata", Value(Object{})},
      {"agents", documented(object({{"type", "object"}, {"additionalProperties", reference("agent")}}), "Who can be sent messages, by name.")},
      {"include", documented(texts, "Further files with definitions.")},
      {"steps", documented(reference("steps"), "What to do, in order.")},
  });
}

Value step(const KindCatalog& kinds) {
  Value by_kind(Array{});
  const std::vector<std::string> names = kinds.kind_names();
  for (const std::string& name : names) {
    by_kind.push_back(object({{"if", object({{"properties", object({{"type", object({{"const", name}})}})}, {"required", array({"type"})}})},
                              {"then", reference("kind_" + name)}}));
  }
  return object({{"type", "object"}, {"properties", object({{"type", one_of_texts(names)}})}, {"required", array({"type"})}, {"allOf", by_kind}});
}

}  // namespace

Value json_schema(const KindCatalog& kinds) {
  Value definitions = object({
      {"text", object({{"type", array({"string", "number"})}})},
      {"expression", documented(object({{"type", array({"string", "number", "boolean"})}}), "A bare expression, or one {{ … }}.")},
      {"duration", documented(any_of({type("string"), object({{"type", "number"}, {"minimum", 0}})}), "Seconds, or a text: 250ms, 10s, 5m, 2h, 1d, PT5M.")},
      {"retry", retry()},
      {"agent", agent()},
      {"steps", any_of({reference("step"), list_of(reference("step"))})},
      {"named_branches", object({{"type", "object"}, {"minProperties", 1}, {"additionalProperties", reference("steps")}})},
      {"branch", any_of({reference("step"), reference("named_branches")})},
      {"branches", any_of({reference("branch"), list_of(reference("branch"))})},
      {"case", closed(object({{"when", reference("expression")}, {"steps", reference("steps")}}), {"when", "steps"})},
      {"cases", any_of({reference("case"), list_of(reference("case"))})},
      {"step", step(kinds)},
  });
  for (const std::string& name : kinds.kind_names()) definitions.set(Text("kind_" + name), kind_schema(*kinds.schema(name)));

  Value out = object({{"$schema", "https://json-schema.org/draft/2020-12/schema"}, {"title", "mapflow workflow"}});
  const Value head = closed(head_fields(), {"id", "steps"});
  for (const auto& [key, value] : head.as_object()) out.set(key, value);
  out.set("patternProperties", object({{"^x-", true}}));
  out.set("$defs", std::move(definitions));
  return out;
}

}  // namespace mapflow::builder
