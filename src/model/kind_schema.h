// What a step kind's fields are: the one table from which a definition is read, checked, printed and documented.
//
// Each kind states its table beside its behaviour (src/steps/<kind>.cpp). The builder works from these tables alone,
// so it knows no kind by name.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/definition.h"
#include "model/diagnostic.h"
#include "value/value.h"

namespace mapflow {

enum class FieldType : std::uint8_t {
  expression,    ///< a bare Jinja2 expression (or one `{{ … }}`): text; booleans and numbers stand for themselves
  expressions,   ///< a list of them
  items,         ///< as expression, but a list, object or count may also be written out
  text,          ///< a text that may be a template
  name,          ///< a plain text, no template
  value,         ///< any JSON; every text in it may be a template
  object,        ///< as value, but an object
  names,         ///< a list of texts, no templates (one text stands for a list of one)
  duration,      ///< a span ("10s", 2.5) or a template that gives one
  integer,
  number,
  boolean,
  choice,        ///< one of `choices`
  choice_or_count,  ///< one of `choices`, or a whole number from 1
  schema,        ///< a JSON Schema
  steps,         ///< one step or a list: a Branch with the field's name as role
  branches,      ///< a list of steps and `{name: [steps]}`: a Branch each
  cases,         ///< a list of `{when, steps}`: a Branch each
};

/// What a field's value is to the rest of the definition: what the validator looks for in it.
enum class FieldMeaning : std::uint8_t {
  plain,
  condition,   ///< decides something, so an expression that never changes is a slip
  agent,       ///< the name of an agent
  workflow,    ///< the id of a workflow
  local,       ///< a name that the step's own blocks see, and `<name>_index` with it
  variables,   ///< an object whose keys are variables that the step sets
  sources,     ///< ids of steps whose results are used, each perhaps with a way into the result: "fan[*].price"
};

/// One field. Written as FieldSpec("action", FieldType::text, "What the agent is asked to do.").needed().
struct FieldSpec {
  FieldSpec(std::string name, FieldType type, std::string doc) : name(std::move(name)), type(type), doc(std::move(doc)) {}
  FieldSpec&& needed() && { required = true; return std::move(*this); }
  FieldSpec&& by_default(Value value) && { otherwise = std::move(value); return std::move(*this); }
  FieldSpec&& one_of(std::vector<std::string> names) && { choices = std::move(names); return std::move(*this); }
  FieldSpec&& means(FieldMeaning what) && { meaning = what; return std::move(*this); }
  FieldSpec&& asked_after_blocks() && { after_blocks = true; return std::move(*this); }
  FieldSpec&& run_many_times() && { repeated = true; return std::move(*this); }
  FieldSpec&& seeing(std::vector<std::string> others) && { names = std::move(others); return std::move(*this); }

  std::string name;
  FieldType type;
  std::string doc;                    ///< one sentence, for the reference and for editors
  bool required = false;
  Value otherwise;                    ///< the default, for the reference and for readers of the field
  std::vector<std::string> choices;
  FieldMeaning meaning = FieldMeaning::plain;
  bool after_blocks = false;          ///< evaluated after one of the step's blocks ended: sees its names and results
  bool repeated = false;              ///< holds steps that run many times: their results are seen only among them
  std::vector<std::string> names;     ///< names that templates in this field see beside the usual ones
};

struct KindSchema {
  std::string name;                   ///< what `type:` says
  std::string doc;
  std::vector<FieldSpec> fields;
  /// What the table cannot say ("exactly one of duration, until, condition, signal"). Adds to `found`; may be empty.
  std::function<void(const Step& step, Diagnostics& found)> check;

  const FieldSpec* field(std::string_view wanted) const;
};

/// The kinds that definitions may use. Implemented by the registry of steps; users' kinds are in it too.
class KindCatalog {
 public:
  virtual ~KindCatalog() = default;
  /// nullptr when there is no such kind.
  virtual const KindSchema* schema(std::string_view kind) const = 0;
  /// All names, in the order of the reference.
  virtual std::vector<std::string> kind_names() const = 0;
};

}  // namespace mapflow
