// custom: calls a handler that the program registered. Worth what the handler returns.
#include "steps/registry.h"
#include "steps/span.h"

namespace mapflow::steps {

namespace {

struct CustomSpec final : kernel::StepSpec {
  Text handler;
  kernel::ValueTemplate input;
  kernel::ValueTemplate heartbeat;
};

class Custom final : public kernel::StepKind {
 public:
  const KindSchema& schema() const override {
    static const KindSchema kSchema = describe();
    return kSchema;
  }

  Result<std::unique_ptr<const kernel::StepSpec>> compile(const kernel::SpecCompiler& compiler) const override {
    auto spec = std::make_unique<CustomSpec>();
    spec->handler = compiler.text("handler");
    MAPFLOW_ASSIGN(spec->input, compiler.value("input"));
    MAPFLOW_ASSIGN(spec->heartbeat, compiler.value("heartbeat"));
    return spec;
  }

  void enter(kernel::StepScope& scope) const override {
    const auto& spec = scope.spec<CustomSpec>();
    auto input = scope.render(spec.input);
    if (!input) return scope.fail(std::move(input.error()));
    kernel::Request request{.kind = kernel::Request::Kind::handler, .target = spec.handler, .data = *std::move(input)};
    const auto heartbeat = scope.render(spec.heartbeat);
    if (!heartbeat) return scope.fail(heartbeat.error());
    if (!heartbeat->is_null()) {
      const auto span = read_duration(*heartbeat);
      if (!span) return scope.fail(span.error());
      request.heartbeat = *span;
    }
    scope.call(std::move(request));
  }

 private:
  static KindSchema describe() {
    KindSchema schema;
    schema.name = "custom";
    schema.doc = "Calls a handler that the embedding program registered by name.";
    schema.fields.push_back(FieldSpec("handler", FieldType::name, "The handler's name.").needed());
    schema.fields.push_back(FieldSpec("input", FieldType::value, "What the handler is given."));
    schema.fields.push_back(FieldSpec("heartbeat", FieldType::duration, "The attempt fails when the handler is silent for so long."));
    return schema;
  }
};

}  // namespace

std::unique_ptr<const kernel::StepKind> make_custom() { return std::make_unique<Custom>(); }

}  // namespace mapflow::steps
