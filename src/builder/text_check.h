// The templates and expressions of one definition: that they compile, and that the names they read can be there.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "builder/step_index.h"
#include "jinja/jinja.h"
#include "model/definition.h"
#include "model/diagnostic.h"
#include "model/kind_schema.h"

namespace mapflow::builder {

class TextCheck {
 public:
  TextCheck(const Definition& definition, const KindCatalog& kinds, const StepIndex& index, const jinja::Environment& templates,
            Diagnostics& found);

  /// Adds what is wrong with the texts of every step and of the agents' limits.
  void run();

 private:
  /// One text: whose it is, where it stands, and what it sees.
  struct Text {
    std::uint32_t step = StepIndex::kNone;
    std::string path;                      ///< of the field in the step
    const FieldSpec* field = nullptr;
    bool condition = false;
  };

  void collect_variables();
  void declare(std::string_view dotted, const Location& where);
  void step(std::uint32_t index);
  void field(std::uint32_t index, const FieldSpec& spec, const Value& value);
  void value(Text& text, const Value& value);
  void template_text(const Text& text, std::string_view source);
  void odd_shorthands(const Text& text, std::string_view source);
  void expression(const Text& text, const Value& value);
  void check(const Text& text, const jinja::Template& compiled);
  void reference(const Text& text, const jinja::Reference& reference);
  void result(const Text& text, const jinja::Reference& reference);
  void sources(Text& text, const Value& value);
  void member_of_built_in(const Text& text, const jinja::Reference& reference);
  void variable(const Text& text, const jinja::Reference& reference);
  void constant(const Text& text, const Value& value);

  bool sees_local(const Text& text, std::string_view name) const;
  void local_names(const Text& text, std::vector<std::string>& names) const;
  Location place(const Text& text, const Location& inside) const;
  std::string suggestion(std::string_view name, const std::vector<std::string>& known);
  void report(Severity severity, std::string_view code, Location where, std::string message, std::string hint = {});

  enum class Unknown { ignored, near_misses, warned, refused };  ///< what becomes of variables that nothing declares

  const Definition& definition_;
  const KindCatalog& kinds_;
  const StepIndex& index_;
  const jinja::Environment& templates_;
  Diagnostics& found_;
  std::set<std::string, std::less<>> globals_;
  std::set<std::string, std::less<>> variables_;
  std::set<std::string, std::less<>> warned_;
  Unknown unknown_ = Unknown::ignored;
  int suggestions_left_ = 100;  // each looks at every known name
};

}  // namespace mapflow::builder
