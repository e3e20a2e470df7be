// What a chain of builder calls has put together so far. Not for use by itself: workflow.h gives it its words.
#pragma once

#include <cstddef>
#include <concepts>
#include <initializer_list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "builder/validator.h"
#include "model/definition.h"
#include "model/kind_schema.h"
#include "value/value.h"

namespace mapflow {

/// A value where the builder takes one: `{{"items", "{{ items }}"}, {"count", 3}}` or anything that a Value is made of.
/// Texts in it may be templates.
class Data {
 public:
  Data() = default;
  Data(std::initializer_list<Object::Member> members) : value_(Object(members)) {}
  template <class T>
    requires(!std::same_as<std::remove_cvref_t<T>, Data> && std::convertible_to<T &&, Value>)
  Data(T&& value) : value_(std::forward<T>(value)) {}  // NOLINT(google-explicit-constructor): stands for a value

  const Value& value() const { return value_; }

 private:
  Value value_;
};

/// Steps that run one after the other, to be put inside another step.
struct Steps {
  std::string name;                 ///< of the branch in a parallel; empty: none
  Block block;
  std::vector<AgentConfig> people;  ///< agents that `human` steps among them speak to
};

/// One way of a `switch_`: its steps run when it is the first whose condition holds.
struct Case {
  std::string condition;
  Steps steps;
};

namespace fluent {

/// Behind every chain. Chains are handles: copies of one speak about the same draft.
struct Draft {
  Definition head;  ///< of a workflow; its own steps are in `content`
  Steps content;

  /// Appends a step of a kind; gives its position.
  std::size_t append(std::string_view kind);
  void append(Steps steps);
  /// Declares a human agent of that name, once.
  void add_person(const std::string& name);
  void add_people(const std::vector<AgentConfig>& people);

  // The step at `position`.
  /// Sets a field; `${a.b}` in its texts is read as everywhere in definitions. A null leaves it as it is.
  void set(std::size_t position, std::string_view field, const Value& value);
  void set_expression(std::size_t position, std::string_view field, std::string_view expression);
  // Steps under `role` replace those that were there.
  void set_steps(std::size_t position, std::string_view role, Steps steps);
  void set_branches(std::size_t position, std::string_view role, std::vector<Steps> branches);
  void set_cases(std::size_t position, std::string_view role, std::vector<Case> cases);
  void set_hook(std::size_t position, std::string_view role, Steps steps);
  Step& step(std::size_t position) { return content.block.at(position); }

  /// The finished definition, in the canonical form that reading it from a file would give.
  /// Errors: invalid_input, with all problems in the message, one a line, each with the path of its step.
  Result<Definition> build(const KindCatalog& kinds, const builder::Surroundings& around) const;
};

/// The kinds that every engine knows.
const KindCatalog& built_in_kinds();

/// An expression with its `${a.b}` read as the reference itself.
std::string expression_text(std::string_view text);

}  // namespace fluent
}  // namespace mapflow
