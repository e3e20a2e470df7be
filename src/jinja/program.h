// A compiled template: its source, its constants and its tree.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "jinja/ast.h"

namespace mapflow::jinja::detail {

struct EnvironmentState;

/// A place where a template reads a name it does not set itself.
struct NameUse {
  const NameExpr* name = nullptr;
  std::vector<std::string_view> path;
  bool guarded = false;
  bool free = false;  ///< nothing in the template sets it
};

struct Program {
  std::string source;
  Location origin;
  std::deque<std::string> texts;  ///< constants that are not a piece of the source
  std::vector<std::shared_ptr<const void>> bigs;
  std::vector<std::unique_ptr<Node>> nodes;
  std::deque<BlockDef> block_storage;
  std::deque<LocalNames> local_names;
  std::unordered_map<std::string_view, const BlockDef*> blocks;
  std::vector<NameUse> uses;
  Unit root;
  const Expr* expression = nullptr;  ///< of a bare expression, or a template that is one `{{ }}` alone
  bool bare = false;                 ///< compiled by compile_expression
  bool calls_out = false;            ///< depends on the host or on other templates
  bool shares_scope = false;         ///< other templates, not known yet, see what this one sees
  std::optional<Value> constant;
  std::shared_ptr<const EnvironmentState> environment;

  template <class T, class... Parts>
  T* make(Parts&&... parts) {
    auto node = std::make_unique<T>(std::forward<Parts>(parts)...);
    T* made = node.get();
    nodes.push_back(std::move(node));
    return made;
  }
  std::string_view keep(std::string text) { return texts.emplace_back(std::move(text)); }
};

}  // namespace mapflow::jinja::detail
