// sequence: a group of steps, one after the other. Worth its last step's result.
#include "steps/registry.h"

namespace mapflow::steps {

namespace {

class Sequence final : public kernel::StepKind {
 public:
  const KindSchema& schema() const override {
    static const KindSchema kSchema = describe();
    return kSchema;
  }

  Result<std::unique_ptr<const kernel::StepSpec>> compile(const kernel::SpecCompiler&) const override {
    return std::make_unique<kernel::StepSpec>();
  }

  void enter(kernel::StepScope& scope) const override { scope.open(0, 0); }

 private:
  static KindSchema describe() {
    KindSchema schema;
    schema.name = "sequence";
    schema.doc = "Runs its steps one after the other, as one step.";
    schema.fields.push_back(FieldSpec("steps", FieldType::steps, "The steps of the group.").needed());
    return schema;
  }
};

}  // namespace

std::unique_ptr<const kernel::StepKind> make_sequence() { return std::make_unique<Sequence>(); }

}  // namespace mapflow::steps
