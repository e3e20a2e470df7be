// What an Environment holds, shared with the templates it compiled.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "jinja/cell.h"
#include "jinja/jinja.h"

namespace mapflow::jinja::detail {

/// A filter or test: one of this library's, or the host's.
struct Callee {
  const FunctionSpec* native = nullptr;
  const HostFunction* host = nullptr;
  explicit operator bool() const { return native || host; }
};

/// The same with its name, by which it is looked up when it is first called.
struct NamedCallee {
  std::string_view name;
  Callee callee = {};
};

struct EnvironmentState {
  Options options;
  std::map<std::string, HostFunction, std::less<>> filters;
  std::map<std::string, HostFunction, std::less<>> tests;
  std::map<std::string, HostFunction, std::less<>> functions;
  std::map<std::string, Value, std::less<>> globals;
  std::shared_ptr<const Loader> loader;

  Callee filter(std::string_view name) const;
  Callee test(std::string_view name) const;
  std::vector<std::string> filter_names() const;
  std::vector<std::string> test_names() const;
  std::vector<std::string> global_names() const;
};

/// This library's own filters, tests and global functions by name; null when there is none.
const FunctionSpec* native_filter(std::string_view name);
const FunctionSpec* native_test(std::string_view name);
const FunctionSpec* native_global(std::string_view name);

/// The tables those are made of, one for each theme.
std::span<const FunctionSpec> text_filters();
std::span<const FunctionSpec> html_filters();
std::span<const FunctionSpec> sequence_filters();
std::span<const FunctionSpec> select_filters();
std::span<const FunctionSpec> number_filters();
std::span<const FunctionSpec> json_filters();
std::span<const FunctionSpec> native_tests();
std::span<const FunctionSpec> native_globals();

}  // namespace mapflow::jinja::detail
