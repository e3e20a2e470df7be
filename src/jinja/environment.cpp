#include <algorithm>

#include "jinja/environment_state.h"
#include "jinja/error_text.h"
#include "jinja/jinja.h"
#include "jinja/render.h"
#include "jinja/runtime.h"

namespace mapflow::jinja {

namespace detail {

namespace {

using Table = std::unordered_map<std::string_view, const FunctionSpec*>;

Table table_of(std::initializer_list<std::span<const FunctionSpec>> parts) {
  Table table;
  for (const auto& part : parts)
    for (const FunctionSpec& each : part) table.emplace(each.name, &each);
  return table;
}

const Table& filter_table() {
  static const Table table = table_of(
      {text_filters(), html_filters(), sequence_filters(), select_filters(), number_filters(), json_filters()});
  return table;
}
const Table& test_table() {
  static const Table table = table_of({native_tests()});
  return table;
}
const Table& global_table() {
  static const Table table = table_of({native_globals()});
  return table;
}

const FunctionSpec* look(const Table& table, std::string_view name) {
  const auto found = table.find(name);
  return found == table.end() ? nullptr : found->second;
}

template <class... Maps>
std::vector<std::string> names_of(const Table& table, const Maps&... maps) {
  std::vector<std::string> names;
  for (const auto& [name, spec] : table) names.emplace_back(name);
  const auto add = [&](const auto& map) {
    for (const auto& [name, value] : map) names.push_back(name);
  };
  (add(maps), ...);
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

}  // namespace

const FunctionSpec* native_filter(std::string_view name) { return look(filter_table(), name); }
const FunctionSpec* native_test(std::string_view name) { return look(test_table(), name); }
const FunctionSpec* native_global(std::string_view name) { return look(global_table(), name); }

Callee EnvironmentState::filter(std::string_view name) const {
  if (const auto found = filters.find(name); found != filters.end()) return {nullptr, &found->second};
  return {native_filter(name), nullptr};
}
Callee EnvironmentState::test(std::string_view name) const {
  if (const auto found = tests.find(name); found != tests.end()) return {nullptr, &found->second};
  return {native_test(name), nullptr};
}
std::vector<std::string> EnvironmentState::filter_names() const { return names_of(filter_table(), filters); }
std::vector<std::string> EnvironmentState::test_names() const { return names_of(test_table(), tests); }
std::vector<std::string> EnvironmentState::global_names() const { return names_of(global_table(), functions, globals); }

}  // namespace detail

std::vector<std::string> ValueScope::names() const {
  std::vector<std::string> names;
  if (members_.is_object())
    for (const auto& [key, value] : members_.as_object()) names.emplace_back(key.view());
  return names;
}

Environment::Environment(Options options) : state_(std::make_shared<detail::EnvironmentState>()) {
  state_->options = std::move(options);
}
Environment::~Environment() = default;
Environment::Environment(Environment&&) noexcept = default;
Environment& Environment::operator=(Environment&&) noexcept = default;

void Environment::add_filter(std::string name, HostFunction function) {
  state_->filters.insert_or_assign(std::move(name), std::move(function));
}
void Environment::add_test(std::string name, HostFunction function) {
  state_->tests.insert_or_assign(std::move(name), std::move(function));
}
void Environment::add_global(std::string name, Value value) {
  state_->globals.insert_or_assign(std::move(name), std::move(value));
}
void Environment::add_function(std::string name, HostFunction function) {
  state_->functions.insert_or_assign(std::move(name), std::move(function));
}
void Environment::set_loader(std::shared_ptr<const Loader> loader) { state_->loader = std::move(loader); }

std::vector<std::string> Environment::filter_names() const { return state_->filter_names(); }
std::vector<std::string> Environment::test_names() const { return state_->test_names(); }
std::vector<std::string> Environment::global_names() const { return state_->global_names(); }
const Options& Environment::options() const { return state_->options; }

Result<Template> Environment::compile(std::string_view source, Location origin) const {
  try {
    return Template(detail::finished_program(state_, source, std::move(origin), false));
  } catch (const detail::Failure& failure) { return fail(*failure.ready); }
}

Result<Template> Environment::compile_expression(std::string_view source, Location origin) const {
  try {
    return Template(detail::finished_program(state_, source, std::move(origin), true));
  } catch (const detail::Failure& failure) { return fail(*failure.ready); }
}

}  // namespace mapflow::jinja
