#include "fuzz/jinja_harness.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "value/json.h"

namespace mapflow::fuzz {

namespace {

constexpr std::string_view kSeparator = "\n~~~~\n";
constexpr std::size_t kOutputBytes = 256u << 10;

const Value& common_data() {
  static const Value data = *parse_json(R"({
    "user": {"name": "Ann <b>", "tags": ["x", "y"], "age": 41, "items": {"a": 1}},
    "rows": [{"id": 1, "price": 2.5, "ok": true}, {"id": 2, "price": null, "ok": false}, {"id": 3, "group": "x"}],
    "tree": [{"v": 1, "kids": [{"v": 2, "kids": []}]}], "text": "One two\nthree ünïcödé 😀", "number": 3.75,
    "integer": -42, "large": 9223372036854775807, "yes": true, "nothing": null, "empty": [], "secret": "!!token",
    "time": "2026-03-01T10:20:30+02:00", "json": "{\"a\": [1, 2.0, null]}", "limit": 100, "total": 7})");
  return data;
}

class SectionLoader final : public jinja::Loader {
 public:
  explicit SectionLoader(std::vector<std::string_view> templates) : templates_(std::move(templates)) {}
  Result<std::string> load(std::string_view name) const override {
    const std::size_t at = name.size() == 1 ? static_cast<std::size_t>(name.front() - 'a') : templates_.size();
    if (at >= templates_.size()) return fail(code::not_found, "no such template");
    return std::string(templates_[at]);
  }

 private:
  std::vector<std::string_view> templates_;
};

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::abort();
}

bool same(const Result<std::string>& a, const Result<std::string>& b) {
  return a.has_value() == b.has_value() && (!a || *a == *b);
}

bool loads_templates(std::string_view source) {
  return source.contains("include") || source.contains("import") || source.contains("extends");
}

}  // namespace

Input read_input(std::string_view bytes) {
  Input input;
  input.data = common_data();
  if (bytes.empty()) return input;
  input.options = bytes.front();
  bytes.remove_prefix(1);
  const auto section = [&] {
    const std::size_t end = std::min(bytes.find(kSeparator), bytes.size());
    const std::string_view taken = bytes.substr(0, end);
    bytes.remove_prefix(std::min(bytes.size(), end + kSeparator.size()));
    return taken;
  };
  input.source = section();
  if (const auto given = parse_json(section()); given && given->is_object())
    for (const auto& [name, value] : given->as_object()) input.data.set(name, value);
  while (!bytes.empty()) input.templates.push_back(section());
  return input;
}

jinja::Environment environment_of(const Input& input) {
  const auto bit = [&](int at) { return ((input.options >> at) & 1) != 0; };
  jinja::Options options;
  options.undefined = bit(0) ? jinja::Undefined::strict : jinja::Undefined::lenient;
  options.lookup = bit(1) ? jinja::Lookup::data_first : jinja::Lookup::attribute_first;
  options.autoescape = bit(2);
  options.trim_blocks = options.lstrip_blocks = bit(3);
  options.keep_trailing_newline = bit(4);
  if (bit(5)) options.opaque_marker = "!!";
  options.extension_do = options.extension_loop_controls = true;
  options.limits = {.instructions = 100'000, .output_bytes = kOutputBytes, .memory_bytes = 4u << 20, .recursion = 50,
                    .range_items = 10'000, .integer_bits = 4096, .source_bytes = 64u << 10, .nesting = 200};
  jinja::Environment environment(options);
  jinja::add_workflow_filters(environment);
  environment.add_function("echo", [](const jinja::Arguments& arguments) -> Result<Value> {
    Value all;
    for (const Value& each : arguments.positional) all.push_back(each);
    for (const auto& [name, value] : arguments.named) all.push_back(array({name, value}));
    return all;
  });
  environment.add_filter("refuse", [](const jinja::Arguments&) -> Result<Value> { return fail(code::invalid_input, "no"); });
  environment.set_loader(std::make_shared<SectionLoader>(input.templates));
  return environment;
}

std::vector<std::string> WatchedScope::names() const {
  std::vector<std::string> names;
  for (const auto& [name, value] : members_.as_object()) names.emplace_back(name.view());
  return names;
}

void check(const jinja::Template& made, const Input& input) {
  const WatchedScope scope(input.data);
  const Result<std::string> text = made.render(scope);
  require(!text || text->size() <= kOutputBytes, "the output is within its limit");
  require(same(text, made.render(scope)), "a template gives the same again");
  const Result<Value> value = made.evaluate(scope);
  if (const Value* constant = made.constant())
    require(value && value->identical(*constant), "a constant is what evaluating gives");
  (void)made.test(scope);
  if (loads_templates(input.source)) return;  // what those ask for is not this template's

  const auto references = made.references();
  for (const std::string& name : scope.asked())
    require(std::ranges::any_of(references, [&](const auto& each) { return each.name == name; }),
            "every name that is asked for is a reference");
  Value less = input.data;
  for (const auto& [name, member] : input.data.as_object())
    if (!made.touches(name)) less.erase(name);
  Value user = *input.data.find("user");
  for (const std::string key : {"name", "tags", "age", "items"})
    if (const std::string path[] = {key}; !made.touches("user", path) && user.is_object()) user.erase(key);
  if (less.find("user")) less.set("user", user);
  require(same(text, made.render(WatchedScope(less))), "what a template does not touch does not matter");
}

}  // namespace mapflow::fuzz
