// Jinja2 templates and expressions over JSON values: the whole public face of this library.
//
//   jinja::Environment env({.undefined = jinja::Undefined::strict, .lookup = jinja::Lookup::data_first});
//   auto greeting = env.compile("Hello {{ user.name|title }}!", {.file = "mail.yaml", .line = 4, .column = 11});
//   auto text = greeting->render(jinja::ValueScope(object({{"user", object({{"name", "ann"}})}})));
//
// The language is that of Jinja2 3.1 (https://jinja.palletsprojects.com/en/3.1.x/templates/) on JSON data; see
// docs/jinja.md for what differs. Compile once, render often: a Template is immutable and may be used from many
// threads at once, as may an Environment once it is set up. Rendering does no I/O, reads no clock and draws no random
// numbers; hosts that want `now()` or `random` give them as functions, of a Scope or an Environment.
//
// Errors. Compiling: template_error with the place. Rendering: template_error with the place; resource_exhausted when a
// limit is passed. `Error::details` holds JSON {"class": "syntax"|"undefined"|"type"|"other"|"limit", "line",
// "column", "source"} where source is the offending line and a caret below it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "value/value.h"

namespace mapflow::jinja {

/// What `a.b` means when `a` is an object that has both a key `b` and a method `b`.
enum class Lookup : std::uint8_t {
  attribute_first,  ///< Jinja2's rule: `order.items` is the method
  data_first,       ///< the key where there is one; the method where it is called or no such key exists
};

/// What a name without a value does when it is used.
enum class Undefined : std::uint8_t {
  lenient,  ///< Jinja2's default: prints as nothing, fails when looked into
  strict,   ///< any use but `is defined` and `default` fails, naming the nearest known name
};

/// Bounds on one render or evaluation. Passing one ends it with resource_exhausted.
struct Limits {
  std::uint64_t instructions = 50'000'000;
  std::size_t output_bytes = 16u << 20;
  std::size_t memory_bytes = 256u << 20;  ///< values made while rendering
  std::uint32_t recursion = 200;          ///< nested macro calls, includes, recursive loops
  std::uint64_t range_items = 1'000'000;  ///< items of one range()
  std::uint32_t integer_bits = 16'384;    ///< size of one integer
  std::size_t source_bytes = 4u << 20;    ///< length of one template
  std::uint32_t nesting = 400;            ///< depth of nested expressions and blocks in one template
};

struct Options {
  Undefined undefined = Undefined::lenient;
  Lookup lookup = Lookup::attribute_first;
  bool trim_blocks = false;
  bool lstrip_blocks = false;
  bool keep_trailing_newline = false;
  bool autoescape = false;
  bool extension_do = false;
  bool extension_loop_controls = false;
  /// Texts that contain this marker are opaque references (to secrets): they may be printed, concatenated and stored
  /// in lists and objects; any other operator, filter, test or method on one is an error. Empty: no text is opaque.
  std::string opaque_marker;
  Limits limits;
};

/// The arguments of a call to a host's filter, test or function. For filters and tests the first positional argument
/// is the value that is filtered or tested.
struct Arguments {
  std::span<const Value> positional;
  std::span<const Object::Member> named;
};
using HostFunction = std::function<Result<Value>(const Arguments&)>;

/// The names that a template sees, beside the globals. Implemented by the host, asked while rendering.
class Scope {
 public:
  virtual ~Scope() = default;
  /// The value called `name`, or nullptr. The pointer must stay good until the render ends.
  virtual const Value* find(std::string_view name) const = 0;
  /// The function called `name`, or nullptr; under the same promise. For those that depend on where and when a template
  /// is rendered; others belong into the Environment.
  virtual const HostFunction* function(std::string_view) const { return nullptr; }
  /// Every name there is, for "did you mean". Only called when an error is being made.
  virtual std::vector<std::string> names() const { return {}; }
};

/// A scope of the members of one object.
class ValueScope final : public Scope {
 public:
  explicit ValueScope(Value members) : members_(std::move(members)) {}
  const Value* find(std::string_view name) const override { return members_.find(name); }
  std::vector<std::string> names() const override;

 private:
  Value members_;
};

/// Where `include`, `import` and `extends` find other templates.
class Loader {
 public:
  virtual ~Loader() = default;
  /// The text of the template called `name`. Errors: not_found.
  virtual Result<std::string> load(std::string_view name) const = 0;
};

/// A place where a template reads a name, as far as it can be told without running it.
struct Reference {
  std::string name;               ///< the undeclared root: `results`
  std::vector<std::string> path;  ///< constant attributes and keys that follow: {"check", "available"}
  Location where;
  bool guarded = false;  ///< inside `is defined` or under `default`, so being undefined is no error
};

namespace detail {
struct Program;
struct EnvironmentState;
}  // namespace detail

/// A compiled template or expression.
class Template {
 public:
  /// Renders to text.
  Result<std::string> render(const Scope& scope) const;
  /// Evaluates to a value: for an expression its value; for a template that is exactly one `{{ expression }}` the
  /// native value of it; for any other template the rendered text. An undefined result is null when lenient and an
  /// error when strict.
  Result<Value> evaluate(const Scope& scope) const;
  /// As evaluate, but an undefined result is nullopt, never an error.
  Result<std::optional<Value>> evaluate_maybe(const Scope& scope) const;
  /// Evaluates to a value and takes its truth (Python's: empty and zero are false).
  Result<bool> test(const Scope& scope) const;

  /// The names that must come from the scope or the globals, in order of appearance.
  std::vector<Reference> references() const;
  /// Whether the result can depend on `results.x`-like paths: true when some reference could touch `root.path…`, or
  /// when the template lets others, which are found only while it renders, see the same scope.
  bool touches(std::string_view root, std::span<const std::string> path = {}) const;
  /// The value, when it is the same whatever the scope holds.
  const Value* constant() const;

 private:
  friend class Environment;
  explicit Template(std::shared_ptr<const detail::Program> program) : program_(std::move(program)) {}
  std::shared_ptr<const detail::Program> program_;
};

/// Options, filters, tests, globals and a loader. Set up first, then compile; not changed while templates render.
class Environment {
 public:
  explicit Environment(Options options = {});
  ~Environment();
  Environment(Environment&&) noexcept;
  Environment& operator=(Environment&&) noexcept;

  void add_filter(std::string name, HostFunction function);
  void add_test(std::string name, HostFunction function);
  void add_global(std::string name, Value value);
  void add_function(std::string name, HostFunction function);
  void set_loader(std::shared_ptr<const Loader> loader);

  /// Compiles a template. `origin` is where its first character stands, so that errors point into the file it came
  /// from.
  Result<Template> compile(std::string_view source, Location origin = {}) const;
  /// Compiles one bare expression, no braces.
  Result<Template> compile_expression(std::string_view source, Location origin = {}) const;

  /// The names of all filters (tests, globals), sorted: for completion and "did you mean".
  std::vector<std::string> filter_names() const;
  std::vector<std::string> test_names() const;
  std::vector<std::string> global_names() const;
  const Options& options() const;

 private:
  std::shared_ptr<detail::EnvironmentState> state_;
};

/// Registers the filters for workflows and agents (see docs/jinja.md): fromjson, b64encode, sha256, regex_replace,
/// to_datetime, jsonpath, slugify, uuid5, combine, zip, flatten, truncate_tokens and their kin.
void add_workflow_filters(Environment& environment);

}  // namespace mapflow::jinja
