// What a step kind is: a stateless object that says what its fields are and what happens when a step of it runs.
//
// To add a kind: write one file in src/steps/ with a StepKind, and add it to the table in src/steps/registry.cpp.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/time.h"
#include "jinja/jinja.h"
#include "kernel/input.h"
#include "kernel/state.h"
#include "kernel/templates.h"
#include "model/kind_schema.h"

namespace mapflow::kernel {

class Machine;

/// What a kind may do to the step it is asked about. Each call appends the record it names and applies it at once.
class StepScope {
 public:
  StepScope(Machine& machine, RunId run) : machine_(machine), run_(run) {}

  // --- looking ---
  const Run& run() const;
  const StepNode& node() const;
  template <class Spec> const Spec& spec() const { return static_cast<const Spec&>(*node().spec); }
  Timestamp now() const;

  // --- evaluating; names are looked up where the step stands ---
  Result<Value> evaluate(const jinja::Template& expression) const;
  Result<bool> test(const jinja::Template& expression) const;
  Result<Value> render(const ValueTemplate& value) const;
  /// As render, with the instance's variables replaced by `variables`.
  Result<Value> render_with(const ValueTemplate& value, const Value& variables) const;
  /// As evaluate and test, with the members of `locals` seen before all other names.
  Result<Value> evaluate_with(const jinja::Template& expression, const Value& locals) const;
  Result<bool> test_with(const jinja::Template& expression, const Value& locals) const;
  Result<Value> render_seeing(const ValueTemplate& value, const Value& locals) const;
  const Value& variables() const;
  /// Results of steps as seen where the step stands: an object by step id.
  Value results() const;
  /// The slots of the step's blocks that are still open, in order.
  std::vector<std::uint32_t> open_slots() const;
  /// As test and evaluate, where the steps of one of the run's open frames stand.
  Result<Value> evaluate_in(FrameId frame, const jinja::Template& expression) const;
  Result<bool> test_in(FrameId frame, const jinja::Template& expression) const;

  // --- doing ---
  /// Keeps a fact in run().memo.
  void note(Value memo);
  /// Starts the step's block number `branch`. `slot` says where its value goes in run().join.values.
  void open(std::uint32_t branch, std::uint32_t slot, Value locals = {});
  /// Calls an agent or handler, whose answer comes to on_reply; or starts a child instance, `data` its input. Its outcome
  /// comes to on_reply as {instance_id, state, results, variables}; without `reply` its start does, as {instance_id}.
  void call(Request request);
  /// Sleeps until on_timer or on_signal; kNever and "" leave the one or the other out.
  void wait(Timestamp due, std::string signal = {});
  /// Takes the oldest queued signal of that name, if there is one.
  std::optional<Value> take_signal(const std::string& name);
  /// Gives up every frame and call the step still has.
  void cancel_children(std::string_view reason);

  // --- settling; nothing may follow ---
  using Writes = std::vector<std::pair<std::string, Value>>;  ///< dotted variables to set
  void finish(Value result, Writes writes = {});
  void skip();
  /// The attempt failed. Retries, `on_error` and the rest are not the kind's business.
  void fail(Error error);

 private:
  template <class Evaluate>
  auto observed(FrameId frame, const Value& source, const jinja::Scope& scope, Evaluate evaluate) const;

  Machine& machine_;
  RunId run_;
};

/// The error of a step that failed because `first` happened inside it: same code, same retryability, `first` as cause.
Error because_of(const Error& first, std::string message);

/// What a kind makes of a block that came to its end.
struct BlockEnd {
  std::optional<Value> value;  ///< collected in run().join.values; nullopt: not kept
  bool stop = false;           ///< open no further blocks
};

/// Compiles the templates in a step's fields, each with its place in the file.
class SpecCompiler {
 public:
  SpecCompiler(const jinja::Environment& environment, const Step& step) : environment_(environment), step_(step) {}

  const Step& step() const { return step_; }
  const Value* field(std::string_view name) const { return step_.fields.find(name); }
  std::string text(std::string_view name, std::string_view otherwise = {}) const;
  std::int64_t integer(std::string_view name, std::int64_t otherwise) const;
  bool boolean(std::string_view name, bool otherwise) const;
  /// An expression field; nullopt when the step does not have it. A text may be bare or one `{{ … }}`; any other
  /// value stands for itself.
  Result<std::optional<jinja::Template>> expression(std::string_view name) const;
  Result<jinja::Template> expression_text(std::string_view source, std::string_view place) const;
  /// Any value with templates in its texts; null when the step does not have the field.
  Result<ValueTemplate> value(std::string_view name) const;
  Result<ValueTemplate> value_of(const Value& value, std::string_view place) const;

 private:
  const jinja::Environment& environment_;
  const Step& step_;
};

class StepKind {
 public:
  virtual ~StepKind() = default;

  virtual const KindSchema& schema() const = 0;
  /// Makes what `enter` and the others need of the step's fields.
  virtual Result<std::unique_ptr<const StepSpec>> compile(const SpecCompiler& compiler) const = 0;

  /// An attempt begins.
  virtual void enter(StepScope& scope) const = 0;
  /// A block ended well: what is it worth, and is that enough? Default: its last result; no.
  virtual Result<BlockEnd> on_block_end(StepScope& scope, const Frame& frame) const;
  /// Something about run().join may have changed. May be called more than once for the same state of things, so it
  /// must decide from run() alone. Default: as the one block it opened, so does the step.
  virtual void on_child(StepScope& scope) const;
  /// The call succeeded. Default: the reply's result is the step's.
  virtual void on_reply(StepScope& scope, const Reply& reply) const;
  /// Whether an answer that comes later, by the call's token, can be the step's. A refused one leaves the call open, so that
  /// whoever gave it can give another. Errors: invalid_input. Default: any can.
  virtual Status check_answer(const StepSpec& spec, const Reply& reply) const;
  /// The time given to wait() has come. Default: finish with null.
  virtual void on_timer(StepScope& scope) const;
  /// The attempt's time is up. True: the kind goes on in another way (it opened a block). Default: the attempt fails.
  virtual bool on_timeout(StepScope& scope) const;
  /// Variables or results may have changed while the run sleeps; only for a spec that watches(). Default: nothing.
  virtual void on_change(StepScope& scope) const;
  /// A signal that the run waits for is in the queue. Default: take it and finish with its payload.
  virtual void on_signal(StepScope& scope) const;
  /// How many blocks the run opens altogether, as far as can be told now: for progress. Default: one.
  virtual std::uint32_t blocks_expected(const Run& run, const StepSpec& spec) const;
  /// Whether the results of the steps in its blocks stay inside their block (as in a loop's iterations).
  virtual bool scopes_results() const { return false; }
};

/// Kinds by name, and the retry policies that steps may name. Set up once, then only read.
class KindRegistry final : public KindCatalog {
 public:
  /// Errors: conflict when the name is taken.
  Status add(std::unique_ptr<const StepKind> kind);
  const StepKind* find(std::string_view name) const;
  const KindSchema* schema(std::string_view kind) const override;
  std::vector<std::string> kind_names() const override;
  /// Errors: conflict when the name is taken.
  Status add_retry_policy(std::string name, RetryFunction function);
  /// nullptr when there is none.
  const RetryFunction* retry_policy(std::string_view name) const;

 private:
  std::map<std::string, RetryFunction, std::less<>> retry_policies_;
  std::vector<std::unique_ptr<const StepKind>> kinds_;
};

}  // namespace mapflow::kernel
