// conditional: one of several blocks, by condition. Worth the taken block's result; skipped when none is taken.
#include "steps/registry.h"

namespace mapflow::steps {

namespace {

struct Case {
  std::optional<jinja::Template> when;  // nullopt: always (otherwise)
  std::optional<std::uint32_t> branch;  // nullopt: taken, but has no steps
};

struct ConditionalSpec final : kernel::StepSpec {
  std::vector<Case> cases;  // in the order in which they are tried
};

class Conditional final : public kernel::StepKind {
 public:
  const KindSchema& schema() const override {
    static const KindSchema kSchema = describe();
    return kSchema;
  }

  Result<std::unique_ptr<const kernel::StepSpec>> compile(const kernel::SpecCompiler& compiler) const override {
    auto spec = std::make_unique<ConditionalSpec>();
    const Step& step = compiler.step();
    std::optional<std::uint32_t> if_true, if_false, otherwise;
    for (std::uint32_t i = 0; i < step.branches.size(); ++i) {
      const Branch& branch = step.branches[i];
      if (branch.role == "if_true") if_true = i;
      if (branch.role == "if_false") if_false = i;
      if (branch.role == "otherwise") otherwise = i;
      if (branch.role != "switch") continue;
      MAPFLOW_ASSIGN(auto when, compiler.expression_text(branch.when, "switch"));
      spec->cases.push_back({std::move(when), i});
    }
    MAPFLOW_ASSIGN(auto condition, compiler.expression("condition"));
    if (condition) {
      spec->cases.push_back({std::move(condition), if_true});
      if (if_false) spec->cases.push_back({std::nullopt, if_false});
    }
    if (otherwise) spec->cases.push_back({std::nullopt, otherwise});
    return spec;
  }

  void enter(kernel::StepScope& scope) const override {
    for (const Case& each : scope.spec<ConditionalSpec>().cases) {
      if (each.when) {
        const auto holds = scope.test(*each.when);
        if (!holds) return scope.fail(holds.error());
        if (!*holds) continue;
      }
      return each.branch ? scope.open(*each.branch, 0) : scope.skip();
    }
    scope.skip();
  }

 private:
  static KindSchema describe() {
    KindSchema schema;
    schema.name = "conditional";
    schema.doc = "Runs one of several blocks, by condition.";
    schema.fields.push_back(
        FieldSpec("condition", FieldType::expression, "Decides between if_true and if_false.").means(FieldMeaning::condition));
    schema.fields.push_back(FieldSpec("if_true", FieldType::steps, "Runs when the condition holds."));
    schema.fields.push_back(FieldSpec("if_false", FieldType::steps, "Runs when it does not."));
    schema.fields.push_back(FieldSpec("switch", FieldType::cases, "Cases tried in order; the first that holds runs."));
    schema.fields.push_back(FieldSpec("otherwise", FieldType::steps, "Runs when no case of the switch holds."));
    schema.check = check;
    return schema;
  }

  static void check(const Step& step, Diagnostics& found) {
    const bool by_condition = step.fields.find("condition") != nullptr;
    bool by_switch = false;
    for (const Branch& branch : step.branches) by_switch = by_switch || branch.role == "switch";
    if (by_condition == by_switch) {
      found.push_back({.code = "MF0210",
                       .where = step.where,
                       .message = by_condition ? "a conditional has either a condition or a switch, not both"
                                               : "a conditional needs a condition or a switch"});
    }
  }
};

}  // namespace

std::unique_ptr<const kernel::StepKind> make_conditional() { return std::make_unique<Conditional>(); }

}  // namespace mapflow::steps
