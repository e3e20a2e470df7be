// parallel: blocks side by side. Worth an object of what each branch was worth.
#include <algorithm>

#include "steps/failures.h"
#include "steps/registry.h"

namespace mapflow::steps {

namespace {

struct ParallelSpec final : kernel::StepSpec {
  std::vector<std::string> names;  // of the branches
  std::uint32_t needed = 0;        // successes that make the step one
  bool wait_for_all = true;
  bool fail_fast = true;
  std::uint32_t window = 0;  // branches at once
};

/// What the result calls a branch: its name, or the id of its one step.
const std::string& name_of(const Branch& branch) {
  return !branch.name.empty() || branch.steps.empty() ? branch.name : branch.steps.front().id;
}

class Parallel final : public kernel::StepKind {
 public:
  const KindSchema& schema() const override {
    static const KindSchema kSchema = describe();
    return kSchema;
  }

  Result<std::unique_ptr<const kernel::StepSpec>> compile(const kernel::SpecCompiler& compiler) const override {
    auto spec = std::make_unique<ParallelSpec>();
    for (const Branch& branch : compiler.step().branches) {
      spec->names.push_back(name_of(branch));
    }
    const auto branches = static_cast<std::uint32_t>(spec->names.size());
    const std::string strategy = compiler.text("wait_strategy", "all");
    const std::int64_t count = compiler.integer("wait_strategy", 0);
    spec->wait_for_all = count == 0 && strategy == "all";
    spec->needed = count > 0                ? static_cast<std::uint32_t>(std::min<std::int64_t>(count, branches))
                   : strategy == "any"      ? std::min(1u, branches)
                   : strategy == "majority" ? branches / 2 + 1
                                            : branches;
    spec->fail_fast = compiler.boolean("fail_fast", true);
    const std::int64_t window = compiler.integer("max_concurrent", branches);
    spec->window = static_cast<std::uint32_t>(std::clamp<std::int64_t>(window, 1, std::max(branches, 1u)));
    return spec;
  }

  void enter(kernel::StepScope& scope) const override {
    if (scope.spec<ParallelSpec>().names.empty()) return scope.finish(Value(Object{}));
    open_more(scope);
  }

  void on_child(kernel::StepScope& scope) const override {
    const auto& spec = scope.spec<ParallelSpec>();
    const kernel::Join& join = scope.run().join;
    const auto branches = static_cast<std::uint32_t>(spec.names.size());
    if (join.succeeded >= spec.needed) {
      scope.cancel_children("enough branches succeeded");
      return scope.finish(results(scope));
    }
    const bool hopeless = branches - join.failed < spec.needed;
    const bool wait_on = spec.wait_for_all && !spec.fail_fast && join.closed() < branches;
    if (hopeless && !wait_on) return scope.fail(combined_error(scope));
    open_more(scope);
  }

  std::uint32_t blocks_expected(const kernel::Run&, const kernel::StepSpec& spec) const override {
    return static_cast<std::uint32_t>(static_cast<const ParallelSpec&>(spec).names.size());
  }

 private:
  static KindSchema describe() {
    KindSchema schema;
    schema.name = "parallel";
    schema.doc = "Runs several branches side by side.";
    schema.fields.push_back(
        FieldSpec("steps", FieldType::branches, "Steps, or named branches `{name: [steps]}`.").needed());
    schema.fields.push_back(FieldSpec("max_concurrent", FieldType::integer, "Branches at once; all when left out."));
    schema.fields.push_back(
        FieldSpec("fail_fast", FieldType::boolean, "With wait_strategy all: cancel the others on the first failure.")
            .by_default(true));
    schema.fields.push_back(FieldSpec("wait_strategy", FieldType::choice_or_count,
                                      "How many branches must succeed; the rest is cancelled then.")
                                .by_default("all")
                                .one_of({"all", "any", "majority"}));
    schema.check = check;
    return schema;
  }

  static void open_more(kernel::StepScope& scope) {
    const auto& spec = scope.spec<ParallelSpec>();
    while (scope.run().join.open() < spec.window && scope.run().join.opened < spec.names.size()) {
      const std::uint32_t branch = scope.run().join.opened;
      scope.open(branch, branch);
    }
  }

  /// Only branches that succeeded are in it: with `any` the others were cancelled.
  static Value results(const kernel::StepScope& scope) {
    const auto& spec = scope.spec<ParallelSpec>();
    const kernel::Join& join = scope.run().join;
    Object out;
    if (!spec.wait_for_all) {
      // Which slots were filled is told by the frames that are gone: open ones and failed ones are not in it.
      std::vector<bool> missing(spec.names.size(), false);
      for (const auto& [slot, error] : join.errors) missing[slot] = true;
      for (const std::uint32_t slot : scope.open_slots()) missing[slot] = true;
      for (std::size_t i = 0; i < join.opened; ++i)
        if (!missing[i]) out.set(spec.names[i], value_at(join, i));
      return Value(std::move(out));
    }
    for (std::size_t i = 0; i < spec.names.size(); ++i) out.set(spec.names[i], value_at(join, i));
    return Value(std::move(out));
  }

  static Value value_at(const kernel::Join& join, std::size_t slot) {
    return join.values.is_array() && slot < join.values.size() ? join.values.as_array()[slot] : Value();
  }

  /// Its code and cause are those of the branch that failed first; all are listed in the order of the branches.
  static Error combined_error(const kernel::StepScope& scope) {
    auto errors = scope.run().join.errors;
    const Error first = errors.front().second;
    const auto& names = scope.spec<ParallelSpec>().names;
    if (errors.size() == 1)
      return kernel::because_of(first, "branch '" + names[errors.front().first] + "' failed: " + first.message);
    std::ranges::sort(errors, {}, &std::pair<std::uint32_t, Error>::first);
    std::string message = std::to_string(errors.size()) + " branches failed";
    for (std::string_view mark = ": '"; const auto& [slot, each] : errors) {
      message += std::string(mark) + names[slot] + "': " + each.message;
      mark = "; '";
    }
    Error combined = kernel::because_of(first, std::move(message));
    combined.details = list_of(errors, [&](std::uint32_t slot) { return names[slot]; });
    return combined;
  }

  static void check(const Step& step, Diagnostics& found) {
    std::vector<std::string> names;
    for (const Branch& branch : step.branches) {
      const std::string& name = name_of(branch);
      if (std::ranges::find(names, name) != names.end())
        found.push_back({.code = "MF0211", .where = branch.where, .message = "two branches are called '" + name + "'"});
      names.push_back(name);
    }
    const Value* count = step.fields.find("wait_strategy");
    if (count && count->is_integer() && count->as_integer() > static_cast<std::int64_t>(names.size())) {
      found.push_back({.code = "MF0212",
                       .where = step.place("wait_strategy"),
                       .message = "wait_strategy wants " + std::to_string(count->as_integer()) + " successes of only " +
                                  std::to_string(names.size()) + " branches"});
    }
  }
};

}  // namespace

std::unique_ptr<const kernel::StepKind> make_parallel() { return std::make_unique<Parallel>(); }

}  // namespace mapflow::steps
