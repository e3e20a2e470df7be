// wait: until time has passed, something holds, or a signal comes. Costs no thread while it waits.
#include "steps/registry.h"
#include "steps/span.h"

namespace mapflow::steps {

namespace {

struct WaitSpec final : kernel::StepSpec {
  kernel::ValueTemplate duration, until;
  bool by_duration = false, by_time = false;
  kernel::ValueTemplate signal;
  std::optional<jinja::Template> condition;
  std::optional<Duration> check_interval;
  bool on_timeout = false;

  bool watches() const override { return condition.has_value(); }
};

class Wait final : public kernel::StepKind {
 public:
  const KindSchema& schema() const override {
    static const KindSchema kSchema = describe();
    return kSchema;
  }

  Result<std::unique_ptr<const kernel::StepSpec>> compile(const kernel::SpecCompiler& compiler) const override {
    auto spec = std::make_unique<WaitSpec>();
    spec->by_duration = compiler.field("duration") != nullptr;
    spec->by_time = compiler.field("until") != nullptr;
    MAPFLOW_ASSIGN(spec->duration, compiler.value("duration"));
    MAPFLOW_ASSIGN(spec->until, compiler.value("until"));
    MAPFLOW_ASSIGN(spec->signal, compiler.value("signal"));
    MAPFLOW_ASSIGN(spec->condition, compiler.expression("condition"));
    if (const Value* interval = compiler.field("check_interval")) {
      MAPFLOW_ASSIGN(spec->check_interval, read_duration(*interval));
    }
    spec->on_timeout = !compiler.step().branches.empty();
    return spec;
  }

  void enter(kernel::StepScope& scope) const override {
    const auto& spec = scope.spec<WaitSpec>();
    if (spec.by_duration || spec.by_time) {
      const auto due = spec.by_duration ? after_duration(scope, spec) : at_time(scope, spec);
      if (!due) return scope.fail(due.error());
      return *due <= scope.now() ? scope.finish(Value()) : scope.wait(*due);
    }
    if (spec.condition) return look(scope);
    const auto signal = scope.render(spec.signal);
    if (!signal) return scope.fail(signal.error());
    if (!signal->is_text()) return scope.fail(Error(code::invalid_input, "the name of a signal is a text"));
    const std::string name(signal->as_text());
    if (auto payload = scope.take_signal(name)) return scope.finish(*std::move(payload));
    scope.wait(kNever, name);
  }

  void on_timer(kernel::StepScope& scope) const override {
    scope.spec<WaitSpec>().condition ? look(scope) : scope.finish(Value());
  }

  void on_change(kernel::StepScope& scope) const override {
    if (scope.spec<WaitSpec>().condition) look(scope);
  }

  bool on_timeout(kernel::StepScope& scope) const override {
    if (!scope.spec<WaitSpec>().on_timeout) return false;
    scope.open(0, 0);
    return true;
  }

  /// Only on_timeout's block can end here. What it was worth does not matter: the wait is over without a payload.
  void on_child(kernel::StepScope& scope) const override {
    const kernel::Join& join = scope.run().join;
    if (join.open() > 0) return;
    if (join.failed > 0) return scope.fail(join.errors.front().second);
    scope.finish(Value());
  }

 private:
  static KindSchema describe() {
    KindSchema schema;
    schema.name = "wait";
    schema.doc = "Waits for time to pass, for something to hold, or for a signal.";
    schema.fields.push_back(FieldSpec("duration", FieldType::duration, "Waits this long."));
    schema.fields.push_back(FieldSpec("until", FieldType::text, "Waits until this time (RFC 3339)."));
    schema.fields.push_back(
        FieldSpec("condition", FieldType::expression,
                  "Waits until this holds; asked again whenever a step ends or a variable changes.")
            .means(FieldMeaning::condition));
    schema.fields.push_back(FieldSpec("check_interval", FieldType::duration,
                                      "How often the condition is asked besides, for one that depends on the time."));
    schema.fields.push_back(
        FieldSpec("signal", FieldType::text,
                  "Waits for a signal of this name; its payload is the result. Earlier signals count."));
    schema.fields.push_back(
        FieldSpec("on_timeout", FieldType::steps, "Runs when `timeout` passes first; the workflow goes on after it."));
    schema.check = check;
    return schema;
  }

  /// Asks the condition. While it does not hold, the next look is due after check_interval.
  static void look(kernel::StepScope& scope) {
    const auto& spec = scope.spec<WaitSpec>();
    const auto holds = scope.test(*spec.condition);
    if (!holds) return scope.fail(holds.error());
    if (*holds) return scope.finish(Value());
    const bool asleep = scope.run().state == StepState::waiting;
    if (asleep && scope.run().due > scope.now()) return;
    scope.wait(spec.check_interval ? saturating_add(scope.now(), *spec.check_interval) : kNever);
  }

  static Result<Timestamp> after_duration(const kernel::StepScope& scope, const WaitSpec& spec) {
    MAPFLOW_ASSIGN(const Value value, scope.render(spec.duration));
    MAPFLOW_ASSIGN(const Duration span, read_duration(value));
    return saturating_add(scope.now(), span);
  }

  static Result<Timestamp> at_time(const kernel::StepScope& scope, const WaitSpec& spec) {
    MAPFLOW_ASSIGN(const Value value, scope.render(spec.until));
    if (!value.is_text()) return fail(code::invalid_input, "until is a time like 2026-12-01T00:00:00Z");
    return parse_timestamp(value.as_text());
  }

  static void check(const Step& step, Diagnostics& found) {
    int ways = 0;
    for (const char* way : {"duration", "until", "condition", "signal"}) ways += step.fields.find(way) != nullptr ? 1 : 0;
    if (ways != 1)
      found.push_back(
          {.code = "MF0215", .where = step.where, .message = "a wait needs exactly one of duration, until, condition and signal"});
    if (step.fields.find("check_interval") && !step.fields.find("condition"))
      found.push_back({.severity = Severity::warning,
                       .code = "MF0229",
                       .where = step.place("check_interval"),
                       .message = "check_interval has no effect without a condition"});
    if (!step.branches.empty() && !step.timeout)
      found.push_back({.severity = Severity::warning,
                       .code = "MF0216",
                       .where = step.place("on_timeout"),
                       .message = "on_timeout never runs: the step has no timeout"});
  }
};

}  // namespace

std::unique_ptr<const kernel::StepKind> make_wait() { return std::make_unique<Wait>(); }

}  // namespace mapflow::steps
