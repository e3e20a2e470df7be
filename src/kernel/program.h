// A definition, compiled: every template parsed, every name resolved to an index, every block numbered.
//
// Immutable and shared by all instances of the definition. Node and block numbers follow from the definition's content
// alone, so records that mention them stay valid as long as the content hash does.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "jinja/jinja.h"
#include "kernel/ids.h"
#include "model/definition.h"
#include "value/schema.h"
#include "value/value.h"

namespace mapflow::kernel {

class StepKind;
class KindRegistry;

/// What a kind made of a step's fields, once, while compiling.
struct StepSpec {
  virtual ~StepSpec() = default;
  /// Whether a step that sleeps wants to hear of every change of variables and results (StepKind::on_change).
  virtual bool watches() const { return false; }
};

struct BlockNode {
  std::vector<NodeIndex> steps;
  const Branch* branch = nullptr;  ///< nullptr for the workflow's own blocks
};

struct StepNode {
  const Step* step = nullptr;
  Text id;                            ///< the step's, to be shared by what is named after it
  const StepKind* kind = nullptr;
  std::unique_ptr<const StepSpec> spec;
  std::optional<jinja::Template> when;
  const RetryFunction* retry = nullptr;  ///< of strategy custom; nullptr also when this process has no such policy
  std::vector<BlockIndex> branches;   ///< as in Step::branches
  BlockIndex on_error = kNoBlock;
  BlockIndex on_success = kNoBlock;
  BlockIndex compensate = kNoBlock;
  BlockIndex fallback = kNoBlock;
};

class Program {
 public:
  const Definition& definition() const { return definition_; }
  const std::string& hash() const { return hash_; }
  const StepNode& node(NodeIndex index) const { return nodes_[index.value]; }
  const BlockNode& block(BlockIndex index) const { return blocks_[index.value]; }
  std::size_t node_count() const { return nodes_.size(); }
  std::size_t block_count() const { return blocks_.size(); }
  /// Whether `given` may start an instance. Errors: invalid_input, naming everything that does not fit.
  Status check_input(const Value& given) const;
  /// What an instance's variables are at its start: the definition's, with the input laid over them.
  Value first_variables(const Value& given) const;
  /// The value of `concurrency.key` for that input; empty without one. Errors: those of the expression.
  Result<std::string> turn_key(const Value& given) const;
  /// Errors: not_found when a step names a retry policy that was not registered, with the place in the file.
  Status check_retry_policies() const;
  BlockIndex main() const { return main_; }
  /// `secrets` as templates see it: the opaque token of every secret that the definition names.
  const Value& secrets() const { return secrets_; }
  /// Whether any step does.
  bool watches() const { return watches_; }
  BlockIndex compensation() const { return compensation_; }  ///< kNoBlock unless the strategy is custom

 private:
  friend class Compiler;
  Definition definition_;
  std::string hash_;
  Value secrets_;
  std::vector<StepNode> nodes_;
  std::vector<BlockNode> blocks_;
  std::optional<jinja::Template> turn_key_;
  std::optional<Schema> input_;  ///< the definition's variables_schema
  BlockIndex main_, compensation_ = kNoBlock;
  bool watches_ = false;
};

/// Compiles a definition that the validator has found sound. `hash` is its content hash; `environment` compiles its
/// templates. Errors: invalid_input and template_error with the place in the file.
Result<std::shared_ptr<const Program>> compile(Definition definition, std::string hash, const KindRegistry& kinds,
                                               const jinja::Environment& environment);

}  // namespace mapflow::kernel
