// What the fuzz targets of templates share: how bytes become a template with its data, and what must hold of any.
//
// An input is text in sections, with a line `~~~~` between them:
//
//   @{{ user.name }}{% include 'a' %}     one character of options (see environment_of), then the template
//   ~~~~
//   {"user": {"name": "ann"}}             optional: JSON whose members are added to the data that is always there
//   ~~~~
//   Hello                                 optional: the templates called a, b, c …
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "jinja/jinja.h"

namespace mapflow::fuzz {

struct Input {
  char options = '@';
  std::string_view source;
  Value data;
  std::vector<std::string_view> templates;  ///< called a, b, c …
};
Input read_input(std::string_view bytes);

jinja::Environment environment_of(const Input& input);

/// Members of one object, and which of them were asked for.
class WatchedScope final : public jinja::Scope {
 public:
  explicit WatchedScope(const Value& members) : members_(members) {}
  const Value* find(std::string_view name) const override {
    asked_.emplace(name);
    return members_.find(name);
  }
  std::vector<std::string> names() const override;
  const std::set<std::string, std::less<>>& asked() const { return asked_; }

 private:
  const Value& members_;
  mutable std::set<std::string, std::less<>> asked_;
};

/// Ends the process, so that the fuzzer keeps the input, when something does not hold of the template: output within
/// its limit, the same again when run again, every name that it asks for among its references, no change when what it
/// does not touch goes away, its constant the value that it gives.
void check(const jinja::Template& made, const Input& input);

}  // namespace mapflow::fuzz
