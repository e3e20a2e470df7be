// jinja-conformance: runs template cases from standard input, one JSON object per line, and answers each with one line.
//
//   {"id": "a", "kind": "template", "template": "{{ x }}", "context": {"x": 1}}   ->  {"id":"a","output":"1"}
//   {"id": "b", "kind": "expression", "template": "x / 2", "context": {"x": 1}}   ->  {"id":"b","value":0.5}
//   {"id": "c", "kind": "expression", "template": "x"}                            ->
//   {"id":"c","value":{"undefined":true}}
//   {"id": "d", "kind": "template", "template": "{{ 1 + 'x' }}"}                  ->
//   {"id":"d","error":"type","message":"…"}
//
// Further fields of a case: "undefined" ("strict" or "default"), "options" (trim_blocks, lstrip_blocks,
// keep_trailing_newline, autoescape), "extensions" ("do", "loopcontrols"), "templates" (name to text).
#include <iostream>
#include <memory>
#include <string>

#include "jinja/jinja.h"
#include "value/json.h"

namespace {

using mapflow::Error;
using mapflow::Result;
using mapflow::Text;
using mapflow::Value;
namespace jinja = mapflow::jinja;

class CaseLoader final : public jinja::Loader {
 public:
  explicit CaseLoader(Value templates) : templates_(std::move(templates)) {}
  Result<std::string> load(std::string_view name) const override {
    if (const Value* text = templates_.find(name)) return std::string(text->as_text());
    return mapflow::fail(mapflow::code::not_found, "there is no template called '" + std::string(name) + "'");
  }

 private:
  Value templates_;
};

bool flag(const Value* options, std::string_view name) {
  const Value* found = options ? options->find(name) : nullptr;
  return found && found->is_bool() && found->as_bool();
}

std::string_view text(const Value& test, std::string_view name) {
  const Value* found = test.find(name);
  return found && found->is_text() ? found->as_text() : std::string_view();
}

jinja::Environment environment_of(const Value& test) {
  jinja::Options options;
  const Value* given = test.find("options");
  options.trim_blocks = flag(given, "trim_blocks");
  options.lstrip_blocks = flag(given, "lstrip_blocks");
  options.keep_trailing_newline = flag(given, "keep_trailing_newline");
  options.autoescape = flag(given, "autoescape");
  if (text(test, "undefined") == "strict") options.undefined = jinja::Undefined::strict;
  if (const Value* extensions = test.find("extensions"); extensions && extensions->is_array())
    for (const Value& each : extensions->as_array()) {
      if (each.as_text() == "do") options.extension_do = true;
      if (each.as_text() == "loopcontrols") options.extension_loop_controls = true;
    }
  options.limits.range_items = 100'000;  // that of Jinja2's sandbox
  jinja::Environment environment(options);
  if (const Value* templates = test.find("templates")) environment.set_loader(std::make_shared<CaseLoader>(*templates));
  return environment;
}

void answer_error(Value& answer, const Error& error) {
  const auto details = mapflow::parse_json(error.details);
  std::string_view kind = details ? text(*details, "class") : "other";
  answer.set("error", kind == "limit" ? "other" : kind);
  answer.set("message", error.to_string());
}

Value answer_to(const Value& test) {
  Value answer;
  if (const Value* id = test.find("id")) answer.set("id", *id);
  const jinja::Environment environment = environment_of(test);
  const Value* context = test.find("context");
  const jinja::ValueScope scope(context ? *context : Value(mapflow::Object()));
  const std::string_view source = text(test, "template");
  if (text(test, "kind") == "expression") {
    const auto compiled = environment.compile_expression(source);
    if (!compiled) return answer_error(answer, compiled.error()), answer;
    const auto value = compiled->evaluate_maybe(scope);
    if (!value) return answer_error(answer, value.error()), answer;
    answer.set("value", *value ? **value : mapflow::object({{"undefined", true}}));
    return answer;
  }
  const auto compiled = environment.compile(source);
  if (!compiled) return answer_error(answer, compiled.error()), answer;
  const auto output = compiled->render(scope);
  if (!output) return answer_error(answer, output.error()), answer;
  answer.set("output", *output);
  return answer;
}

}  // namespace

int main() {
  std::string line;
  while (std::getline(std::cin, line)) {
    const auto test = mapflow::parse_json(line);
    if (!test || !test->is_object()) {
      std::cerr << "not a case: " << line << '\n';
      continue;
    }
    std::cout << mapflow::to_json(answer_to(*test)) << std::endl;
  }
  return 0;
}
