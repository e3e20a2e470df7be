// loop: a block per item, or while a condition holds. Worth the list of what was collected, in item order.
#include <algorithm>

#include "steps/failures.h"
#include "steps/registry.h"

namespace mapflow::steps {

namespace {

struct LoopSpec final : kernel::StepSpec {
  std::optional<jinja::Template> items;
  kernel::ValueTemplate written_items;  // a list or object written out
  bool over_items = false;
  std::optional<jinja::Template> while_holds, until_holds, break_when, collect;
  bool collects = true;
  bool fail_fast = true;
  bool stop_at_max = false;
  std::uint32_t window = 1;
  std::uint32_t max_iterations = 0;  // 0: no limit
  Text variable, index_variable;
};

class Loop final : public kernel::StepKind {
 public:
  const KindSchema& schema() const override {
    static const KindSchema kSchema = describe();
    return kSchema;
  }

  Result<std::unique_ptr<const kernel::StepSpec>> compile(const kernel::SpecCompiler& compiler) const override {
    auto spec = std::make_unique<LoopSpec>();
    if (const Value* items = compiler.field("items")) {
      spec->over_items = true;
      if (items->is_array() || items->is_object()) {
        MAPFLOW_ASSIGN(spec->written_items, compiler.value("items"));
      } else {
        MAPFLOW_ASSIGN(spec->items, compiler.expression("items"));
      }
    }
    MAPFLOW_ASSIGN(spec->while_holds, compiler.expression("while"));
    MAPFLOW_ASSIGN(spec->until_holds, compiler.expression("until"));
    MAPFLOW_ASSIGN(spec->break_when, compiler.expression("break_when"));
    spec->collects = compiler.text("collect") != "none";
    if (spec->collects) { MAPFLOW_ASSIGN(spec->collect, compiler.expression("collect")); }
    spec->fail_fast = compiler.boolean("fail_fast", true);
    spec->stop_at_max = compiler.text("on_max_iterations") == "stop";
    spec->window =
        static_cast<std::uint32_t>(std::clamp<std::int64_t>(compiler.integer("max_concurrent", 1), 1, 100'000));
    spec->max_iterations =
        static_cast<std::uint32_t>(std::clamp<std::int64_t>(compiler.integer("max_iterations", 0), 0, UINT32_MAX));
    const std::string variable = compiler.text("loop_var", "item");
    spec->variable = variable;
    spec->index_variable = variable + "_index";
    return spec;
  }

  void enter(kernel::StepScope& scope) const override {
    const auto& spec = scope.spec<LoopSpec>();
    if (spec.over_items) {
      auto items = spec.items ? scope.evaluate(*spec.items) : scope.render(spec.written_items);
      if (items) items = listed(*std::move(items));
      if (!items) return scope.fail(std::move(items.error()));
      scope.note(*std::move(items));  // a fact: what is looped over does not change while looping
    }
    go_on(scope);
  }

  Result<kernel::BlockEnd> on_block_end(kernel::StepScope& scope, const kernel::Frame& frame) const override {
    const auto& spec = scope.spec<LoopSpec>();
    kernel::BlockEnd end;
    if (spec.collect) {
      MAPFLOW_ASSIGN(end.value, scope.evaluate_in(frame.id, *spec.collect));
    } else if (spec.collects) {
      end.value = frame.last;
    }
    for (const auto* enough : {&spec.until_holds, &spec.break_when}) {
      if (!*enough || end.stop) continue;
      MAPFLOW_ASSIGN(end.stop, scope.test_in(frame.id, **enough));
    }
    return end;
  }

  void on_child(kernel::StepScope& scope) const override {
    const auto& spec = scope.spec<LoopSpec>();
    const kernel::Join& join = scope.run().join;
    if (join.failed > 0 && spec.fail_fast) return scope.fail(iteration_error(join));
    go_on(scope);
  }

  bool scopes_results() const override { return true; }

  std::uint32_t blocks_expected(const kernel::Run& run, const kernel::StepSpec& spec) const override {
    return static_cast<const LoopSpec&>(spec).over_items ? count(run.memo) : run.join.opened + 1;
  }

 private:
  static KindSchema describe() {
    KindSchema schema;
    schema.name = "loop";
    schema.doc = "Runs its body for every item, or while a condition holds.";
    schema.fields.push_back(
        FieldSpec("items", FieldType::items, "A list, an object (its items are {key, value}) or a count (0 … n-1)."));
    schema.fields.push_back(
        FieldSpec("while", FieldType::expression, "Goes on while this holds; asked before each iteration."));
    schema.fields.push_back(
        FieldSpec("until", FieldType::expression, "Stops once this holds; asked after each iteration.")
            .means(FieldMeaning::condition)
            .asked_after_blocks());
    schema.fields.push_back(
        FieldSpec("loop_var", FieldType::name, "The name the body knows its item by; `<name>_index` is its number.")
            .by_default("item")
            .means(FieldMeaning::local));
    schema.fields.push_back(FieldSpec("body", FieldType::steps, "The steps of one iteration.").needed().run_many_times());
    schema.fields.push_back(FieldSpec("max_concurrent", FieldType::integer, "Iterations at once.").by_default(1));
    schema.fields.push_back(
        FieldSpec("fail_fast", FieldType::boolean, "Fail on the first failed iteration.").by_default(true));
    schema.fields.push_back(FieldSpec(
        "collect", FieldType::expression,
        "What an iteration contributes to the result; its last step's result when left out, nothing with `none`.")
                                .asked_after_blocks());
    schema.fields.push_back(
        FieldSpec("break_when", FieldType::expression, "Starts no further iteration once this holds after one.")
            .means(FieldMeaning::condition)
            .asked_after_blocks());
    schema.fields.push_back(
        FieldSpec("max_iterations", FieldType::integer, "Fails with resource_exhausted beyond so many."));
    schema.fields.push_back(FieldSpec("on_max_iterations", FieldType::choice, "`stop`: end well at max_iterations.")
                                .by_default("fail")
                                .one_of({"fail", "stop"}));
    schema.check = check;
    return schema;
  }

  /// A list, a count or an object as what the loop keeps of it: a count stays a number, an object becomes pairs.
  static Result<Value> listed(Value items) {
    if (items.is_array()) return items;
    if (items.is_integer() && items.as_integer() >= 0 && items.as_integer() <= UINT32_MAX) return items;
    if (items.is_object()) {
      Array pairs;
      for (const auto& [key, value] : items.as_object()) pairs.push_back(object({{"key", key}, {"value", value}}));
      return Value(std::move(pairs));
    }
    return fail(code::invalid_input,
                "items is a " + std::string(to_string(items.type())) + ", not a list, an object or a count from 0");
  }

  static std::uint32_t count(const Value& items) {
    return static_cast<std::uint32_t>(items.is_integer() ? static_cast<std::size_t>(items.as_integer()) : items.size());
  }

  static void go_on(kernel::StepScope& scope) {
    const auto& spec = scope.spec<LoopSpec>();
    // By condition iterations follow each other: each decides about the next.
    const std::uint32_t window = spec.over_items ? spec.window : 1;
    while (!scope.run().join.stop && scope.run().join.open() < window) {
      const std::uint32_t next = scope.run().join.opened;
      if (spec.over_items && next >= count(scope.run().memo)) break;
      if (spec.while_holds) {
        const auto holds = scope.test(*spec.while_holds);
        if (!holds) return scope.fail(holds.error());
        if (!*holds) break;
      }
      if (spec.max_iterations > 0 && next >= spec.max_iterations) {
        if (spec.stop_at_max) break;
        if (scope.run().join.open() > 0) return;
        return scope.fail(Error(code::resource_exhausted,
                                "the loop would go past max_iterations (" + std::to_string(spec.max_iterations) + ")",
                                "raise max_iterations, or set on_max_iterations: stop"));
      }
      scope.open(0, next, locals(spec, scope.run().memo, next));
    }
    const kernel::Join& join = scope.run().join;
    if (join.open() > 0) return;
    if (join.failed > 0) return scope.fail(iteration_error(join));
    scope.finish(spec.collects ? (join.values.is_null() ? Value(Array{}) : join.values) : Value());
  }

  static Value locals(const LoopSpec& spec, const Value& items, std::uint32_t index) {
    const Value item = items.is_array() ? items.as_array()[index] : Value(index);
    return object({{spec.variable, item}, {spec.index_variable, index}});
  }

  static Error iteration_error(const kernel::Join& join) {
    const auto& [slot, first] = join.errors.front();
    std::string message = "iteration " + std::to_string(slot) + " failed: " + first.message;
    if (join.errors.size() > 1) message += " (and " + std::to_string(join.errors.size() - 1) + " more)";
    Error combined = kernel::because_of(first, std::move(message));
    combined.details = list_of(join.errors, [](std::uint32_t iteration) { return std::to_string(iteration); });
    return combined;
  }

  static void check(const Step& step, Diagnostics& found) {
    const auto has = [&](std::string_view name) { return step.fields.find(name) != nullptr; };
    if (!has("items") && !has("while") && !has("until"))
      found.push_back({.code = "MF0213", .where = step.where, .message = "a loop needs items, while or until"});
    if (!has("items") && has("max_concurrent"))
      found.push_back({.severity = Severity::warning,
                       .code = "MF0214",
                       .where = step.place("max_concurrent"),
                       .message = "max_concurrent has no effect on a loop without items"});
  }
};

}  // namespace

std::unique_ptr<const kernel::StepKind> make_loop() { return std::make_unique<Loop>(); }

}  // namespace mapflow::steps
