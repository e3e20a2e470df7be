// A step kind of the program's own: `repeat` runs its steps a number of times. It is read, checked, retried, timed out,
// recovered and shown like a built-in kind; all it says itself is its fields and what happens when a step of it runs.
#include <mapflow/mapflow.h>

#include <iostream>

namespace {

namespace kernel = mapflow::kernel;
using mapflow::FieldSpec;
using mapflow::FieldType;

struct RepeatSpec final : kernel::StepSpec {
  std::int64_t times = 1;
};

class Repeat final : public kernel::StepKind {
 public:
  const mapflow::KindSchema& schema() const override {
    static const mapflow::KindSchema kSchema = [] {
      mapflow::KindSchema schema;
      schema.name = "repeat";
      schema.doc = "Runs its steps so many times, one time after the other.";
      schema.fields.push_back(FieldSpec("times", FieldType::integer, "How often.").needed());
      schema.fields.push_back(FieldSpec("steps", FieldType::steps, "What is repeated.").needed().run_many_times());
      return schema;
    }();
    return kSchema;
  }

  mapflow::Result<std::unique_ptr<const kernel::StepSpec>> compile(const kernel::SpecCompiler& compiler) const override {
    auto spec = std::make_unique<RepeatSpec>();
    spec->times = compiler.integer("times", 1);
    if (spec->times < 1) return mapflow::fail(mapflow::code::invalid_input, "times must be at least 1");
    return spec;
  }

  void enter(kernel::StepScope& scope) const override { scope.open(0, 0); }

  /// A time is over. May be asked again for the same state of things, so it decides from the run alone.
  void on_child(kernel::StepScope& scope) const override {
    const kernel::Join& join = scope.run().join;
    if (join.failed > 0) return scope.fail(kernel::because_of(join.errors.front().second, "a repetition failed"));
    if (join.open() > 0) return;
    if (join.opened < scope.spec<RepeatSpec>().times) return scope.open(0, join.opened);
    scope.finish(static_cast<std::int64_t>(join.opened));
  }

  bool scopes_results() const override { return true; }
};

constexpr const char* kWorkflow = R"(
id: knocking
variables: { knocks: 0 }
steps:
  - id: knock
    type: repeat
    times: 3
    steps: { type: transform, transformations: { knocks: "{{ knocks + 1 }}" } }
)";

}  // namespace

int main() {
  mapflow::Engine engine({.store = "memory:"});
  if (const auto added = engine.add_kind(std::make_unique<Repeat>()); !added) return 2;
  const auto definitions = mapflow::read_definition_text(kWorkflow, engine.kinds());
  if (!definitions) {
    std::cerr << definitions.error().message;
    return 2;
  }
  if (const auto added = engine.add(definitions->front()); !added) {
    std::cerr << added.error().to_string() << '\n';
    return 2;
  }
  const auto run = engine.start("knocking");
  const auto end = run->wait();
  std::cout << end->find("state")->as_text() << ": knocked " << end->find_path("variables.knocks")->as_integer() << " times\n";
}
