// subworkflow: runs another workflow as a child instance. Worth its results, or what `output` makes of them.
#include "steps/registry.h"

namespace mapflow::steps {

namespace {

struct SubworkflowSpec final : kernel::StepSpec {
  kernel::ValueTemplate workflow, input;
  std::vector<std::pair<std::string, kernel::ValueTemplate>> output;
  Text version;
  kernel::ParentClose on_parent_close = kernel::ParentClose::cancel;
  bool wait = true;
};

class Subworkflow final : public kernel::StepKind {
 public:
  explicit Subworkflow(StandIns stand_ins) : stand_ins_(std::move(stand_ins)) {}

  const KindSchema& schema() const override {
    static const KindSchema kSchema = describe();
    return kSchema;
  }

  Result<std::unique_ptr<const kernel::StepSpec>> compile(const kernel::SpecCompiler& compiler) const override {
    auto spec = std::make_unique<SubworkflowSpec>();
    MAPFLOW_ASSIGN(spec->workflow, compiler.value("workflow_id"));
    MAPFLOW_ASSIGN(spec->input, compiler.value("input"));
    if (const Value* output = compiler.field("output"); output && output->is_object()) {
      for (const auto& [target, source] : output->as_object()) {
        MAPFLOW_ASSIGN(auto compiled, compiler.value_of(source, "output." + std::string(target)));
        spec->output.emplace_back(target, std::move(compiled));
      }
    }
    spec->version = compiler.text("version");
    spec->wait = compiler.boolean("wait", true);
    // Nobody asked for the end of a child that is not waited for, so by itself it outlives its parent.
    const std::string close = compiler.text("on_parent_close", spec->wait ? "cancel" : "abandon");
    if (close != "cancel") spec->on_parent_close = close == "wait" ? kernel::ParentClose::wait : kernel::ParentClose::abandon;
    return spec;
  }

  void enter(kernel::StepScope& scope) const override {
    const auto& spec = scope.spec<SubworkflowSpec>();
    auto workflow = scope.render(spec.workflow);
    if (!workflow) return scope.fail(std::move(workflow.error()));
    if (!workflow->is_text() || workflow->size() == 0)
      return scope.fail(Error(code::invalid_input, "workflow_id came out as no workflow's id"));
    auto input = scope.render(spec.input);
    if (!input) return scope.fail(std::move(input.error()));
    if (stand_ins_.contains(workflow->as_text()))
      return scope.call({.target = kStandIn, .action = workflow->shared_text(), .data = *std::move(input), .reply = spec.wait});
    scope.call({.kind = kernel::Request::Kind::workflow,
                .target = workflow->shared_text(),
                .data = *std::move(input),
                .reply = spec.wait,
                .version = spec.version,
                .on_parent_close = spec.on_parent_close});
  }

  void on_reply(kernel::StepScope& scope, const Reply& reply) const override {
    const auto& spec = scope.spec<SubworkflowSpec>();
    if (!spec.wait) return scope.finish(reply.result.is_null() ? object({{"instance_id", kStandIn}}) : reply.result);
    if (spec.output.empty()) {
      const Value* results = reply.result.find("results");
      return scope.finish(results ? *results : Value());
    }
    const Value locals = object({{"child", reply.result}});
    Object outputs;
    kernel::StepScope::Writes writes;
    for (const auto& [target, source] : spec.output) {
      auto value = scope.render_seeing(source, locals);
      if (!value) return scope.fail(std::move(value.error()));
      outputs.set(target, *value);
      writes.emplace_back(target, *std::move(value));
    }
    scope.finish(Value(std::move(outputs)), std::move(writes));
  }

 private:
  static KindSchema describe() {
    KindSchema schema;
    schema.name = "subworkflow";
    schema.doc = "Runs another workflow as a child instance.";
    schema.fields.push_back(
        FieldSpec("workflow_id", FieldType::text, "The workflow's id.").needed().means(FieldMeaning::workflow));
    schema.fields.push_back(FieldSpec("version", FieldType::name, "The version it must have; any when left out."));
    schema.fields.push_back(FieldSpec("input", FieldType::object, "The child's input."));
    schema.fields.push_back(
        FieldSpec("output", FieldType::object,
                  "Variables of this workflow to set from the child, seen as child.results and child.variables.")
            .means(FieldMeaning::variables)
            .seeing({"child"}));
    schema.fields.push_back(FieldSpec("wait", FieldType::boolean, "false: done once the child is started, with its instance_id.")
                                .by_default(true));
    schema.fields.push_back(FieldSpec("on_parent_close", FieldType::choice,
                                      "What becomes of a running child when its step or this workflow ends first: `cancel` it, "
                                      "`abandon` it to itself, or `wait` for it. By default `cancel`, and `abandon` without wait.")
                                .one_of({"cancel", "abandon", "wait"}));
    return schema;
  }

  const StandIns stand_ins_;
};

}  // namespace

std::unique_ptr<const kernel::StepKind> make_subworkflow(StandIns stand_ins) { return std::make_unique<Subworkflow>(std::move(stand_ins)); }

}  // namespace mapflow::steps
