// custom: calls a handler that the program registered. Worth what the handler returns.
#include "steps/registry.h"

namespace mapflow::steps {

namespace {

struct CustomSpec final : kernel::StepSpec {
  std::string handler;
  kernel::ValueTemplate input;
};

class Custom final : public kernel::StepKind {
 public:
  const KindSchema& schema() const override {
    static const KindSchema kSchema{
        .name = "custom",
        .doc = "Calls a handler that the embedding program registered by name.",
        .fields = {{.name = "handler", .type = FieldType::name, .doc = "The handler's name.", .required = true},
                   {.name = "input", .type = FieldType::value, .doc = "What the handler is given."}}};
    return kSchema;
  }

  Result<std::unique_ptr<const kernel::StepSpec>> compile(const kernel::SpecCompiler& compiler) const override {
    auto spec = std::make_unique<CustomSpec>();
    spec->handler = compiler.text("handler");
    MAPFLOW_ASSIGN(spec->input, compiler.value("input"));
    return spec;
  }

  void enter(kernel::StepScope& scope) const override {
    const auto& spec = scope.spec<CustomSpec>();
    auto input = scope.render(spec.input);
    if (!input) return scope.fail(std::move(input.error()));
    scope.call({kernel::Target::Kind::handler, spec.handler}, object({{"data", *std::move(input)}}));
  }
};

}  // namespace

std::unique_ptr<const kernel::StepKind> make_custom() { return std::make_unique<Custom>(); }

}  // namespace mapflow::steps
