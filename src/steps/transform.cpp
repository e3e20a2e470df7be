// transform: computes variables from templates. Worth the object of its targets.
#include "steps/registry.h"

namespace mapflow::steps {

namespace {

struct Assertion {
  std::string text;
  jinja::Template holds;
};

struct TransformSpec final : kernel::StepSpec {
  std::vector<std::pair<std::string, kernel::ValueTemplate>> targets;
  std::vector<Assertion> assertions;
};

class Transform final : public kernel::StepKind {
 public:
  const KindSchema& schema() const override {
    static const KindSchema kSchema = describe();
    return kSchema;
  }

  Result<std::unique_ptr<const kernel::StepSpec>> compile(const kernel::SpecCompiler& compiler) const override {
    auto spec = std::make_unique<TransformSpec>();
    if (const Value* targets = compiler.field("transformations"); targets && targets->is_object()) {
      for (const auto& [target, source] : targets->as_object()) {
        MAPFLOW_ASSIGN(auto compiled, compiler.value_of(source, "transformations." + std::string(target)));
        spec->targets.emplace_back(target, std::move(compiled));
      }
    }
    if (const Value* assertions = compiler.field("assert"); assertions && assertions->is_array()) {
      for (std::size_t i = 0; i < assertions->size(); ++i) {
        const Value& text = assertions->as_array()[i];
        if (!text.is_text()) continue;  // the reader lets only texts through
        MAPFLOW_ASSIGN(auto holds, compiler.expression_text(text.as_text(), "assert." + std::to_string(i)));
        spec->assertions.push_back({std::string(text.as_text()), std::move(holds)});
      }
    }
    return spec;
  }

  void enter(kernel::StepScope& scope) const override {
    const auto& spec = scope.spec<TransformSpec>();
    for (const Assertion& each : spec.assertions) {
      const auto holds = scope.test(each.holds);
      if (!holds) return scope.fail(holds.error());
      if (!*holds) return scope.fail(Error(code::invalid_input, "assertion failed: " + each.text));
    }
    Value variables = scope.variables();
    Object results;
    kernel::StepScope::Writes writes;
    for (const auto& [target, source] : spec.targets) {
      auto value = scope.render_with(source, variables);
      if (!value) return scope.fail(std::move(value.error()));
      if (const Status set = variables.set_path(target, *value); !set) return scope.fail(set.error());
      results.set(target, *value);
      writes.emplace_back(target, *std::move(value));
    }
    scope.finish(Value(std::move(results)), std::move(writes));
  }

 private:
  static KindSchema describe() {
    KindSchema schema;
    schema.name = "transform";
    schema.doc = "Sets variables to what templates come out as.";
    schema.fields.push_back(
        FieldSpec("transformations", FieldType::object,
                  "Targets (dotted variables) in order; each template sees the targets before it.")
            .means(FieldMeaning::variables));
    schema.fields.push_back(
        FieldSpec("assert", FieldType::expressions,
                  "Expressions that must hold first; the step fails with invalid_input otherwise."));
    schema.check = check;
    return schema;
  }

  static void check(const Step& step, Diagnostics& found) {
    if (!step.fields.find("transformations") && !step.fields.find("assert"))
      found.push_back(
          {.code = "MF0217", .where = step.where, .message = "a transform needs transformations or assert"});
  }
};

}  // namespace

std::unique_ptr<const kernel::StepKind> make_transform() { return std::make_unique<Transform>(); }

}  // namespace mapflow::steps
