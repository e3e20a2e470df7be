// message: sends to an agent and takes its reply. Worth the reply, or null when none is waited for.
#include "steps/registry.h"
#include "value/schema.h"

namespace mapflow::steps {

namespace {

struct MessageSpec final : kernel::StepSpec {
  kernel::ValueTemplate destination, action, data, headers, priority;
  bool wait_for_response = true;
  std::optional<Schema> expect;
};

class Message final : public kernel::StepKind {
 public:
  const KindSchema& schema() const override {
    static const KindSchema kSchema = describe();
    return kSchema;
  }

  Result<std::unique_ptr<const kernel::StepSpec>> compile(const kernel::SpecCompiler& compiler) const override {
    auto spec = std::make_unique<MessageSpec>();
    MAPFLOW_ASSIGN(spec->destination, compiler.value("destination"));
    MAPFLOW_ASSIGN(spec->action, compiler.value("action"));
    MAPFLOW_ASSIGN(spec->data, compiler.value("data"));
    MAPFLOW_ASSIGN(spec->headers, compiler.value("headers"));
    MAPFLOW_ASSIGN(spec->priority, compiler.value("priority"));
    spec->wait_for_response = compiler.boolean("wait_for_response", true);
    if (const Value* expect = compiler.field("expect")) {
      MAPFLOW_ASSIGN(spec->expect, Schema::compile(*expect));
    }
    return spec;
  }

  void enter(kernel::StepScope& scope) const override {
    const auto& spec = scope.spec<MessageSpec>();
    const auto destination = scope.render(spec.destination);
    if (!destination) return scope.fail(destination.error());
    if (!destination->is_text() || destination->size() == 0)
      return scope.fail(Error(code::invalid_input, "destination came out as no agent's name"));
    kernel::Request request{.target = destination->shared_text(), .reply = spec.wait_for_response};
    Value action, priority;
    const std::pair<const kernel::ValueTemplate*, Value*> parts[] = {
        {&spec.action, &action}, {&spec.data, &request.data}, {&spec.headers, &request.headers}, {&spec.priority, &priority}};
    for (const auto& [part, into] : parts) {
      auto value = scope.render(*part);
      if (!value) return scope.fail(std::move(value.error()));
      *into = *std::move(value);
    }
    if (action.is_text()) request.action = action.shared_text();
    if (priority.is_text()) request.priority = parse_priority(priority.as_text()).value_or(Priority::medium);
    scope.call(std::move(request));
  }

  void on_reply(kernel::StepScope& scope, const Reply& reply) const override {
    const auto& spec = scope.spec<MessageSpec>();
    if (!spec.wait_for_response) return scope.finish(Value());
    if (Status fits = fit("the reply", spec, reply); !fits) {
      fits.error().code = code::invalid_output;
      return scope.fail(std::move(fits.error()));
    }
    scope.finish(reply.result);
  }

  Status check_answer(const kernel::StepSpec& spec, const Reply& reply) const override {
    return fit("the answer", static_cast<const MessageSpec&>(spec), reply);
  }

 private:
  static Status fit(std::string_view what, const MessageSpec& spec, const Reply& reply) {
    if (!spec.expect) return {};
    const auto found = spec.expect->check(reply.result);
    return found.empty() ? Status() : fail(schema_error(what, found));
  }

  static KindSchema describe() {
    KindSchema schema;
    schema.name = "message";
    schema.doc = "Sends a message to an agent and takes its reply.";
    schema.fields.push_back(FieldSpec("destination", FieldType::text, "The agent's name.").needed().means(FieldMeaning::agent));
    schema.fields.push_back(FieldSpec("action", FieldType::text, "What the agent is asked to do."));
    schema.fields.push_back(FieldSpec("data", FieldType::value, "What it is asked to do it with."));
    schema.fields.push_back(FieldSpec("headers", FieldType::object, "Further texts for the transport and the agent."));
    schema.fields.push_back(FieldSpec("priority", FieldType::choice, "How urgent it is.")
                                .by_default("medium")
                                .one_of({"low", "medium", "high", "critical"}));
    schema.fields.push_back(
        FieldSpec("wait_for_response", FieldType::boolean, "false: done once the message is handed over, with null.")
            .by_default(true));
    schema.fields.push_back(FieldSpec("expect", FieldType::schema, "The JSON Schema that the reply must fit."));
    schema.check = check;
    return schema;
  }

  static void check(const Step& step, Diagnostics& found) {
    const Value* const wait = step.fields.find("wait_for_response");
    if (step.fields.find("expect") && wait && *wait == Value(false))
      found.push_back({.code = "MF0228",
                       .where = step.place("expect"),
                       .message = "expect has no reply to look at: the step does not wait for one"});
  }
};

}  // namespace

std::unique_ptr<const kernel::StepKind> make_message() { return std::make_unique<Message>(); }

}  // namespace mapflow::steps
