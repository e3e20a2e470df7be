#include "kernel/program.h"

#include <algorithm>
#include <cctype>

#include "jinja/workflow.h"
#include "kernel/step_kind.h"
#include "value/json.h"

namespace mapflow::kernel {

namespace {

/// Adds the token of every `secrets.name` that a text mentions.
void collect_secrets(const Value& value, Value& secrets) {
  if (value.is_array()) {
    for (const Value& item : value.as_array()) collect_secrets(item, secrets);
  } else if (value.is_object()) {
    for (const auto& [key, member] : value.as_object()) collect_secrets(member, secrets);
  } else if (value.is_text()) {
    static constexpr std::string_view kRoot = "secrets.";
    const std::string_view text = value.as_text();
    for (std::size_t at = text.find(kRoot); at != std::string_view::npos; at = text.find(kRoot, at + 1)) {
      std::size_t end = at + kRoot.size();
      while (end < text.size() && (std::isalnum(static_cast<unsigned char>(text[end])) || text[end] == '_')) ++end;
      const std::string_view name = text.substr(at + kRoot.size(), end - at - kRoot.size());
      if (!name.empty()) secrets.set(name, jinja::secret_token(name));
    }
  }
}

}  // namespace

class Compiler {
 public:
  Compiler(const KindRegistry& kinds, const jinja::Environment& environment) : kinds_(kinds), environment_(environment) {}

  Result<std::shared_ptr<const Program>> compile(Definition definition, std::string hash) {
    auto program = std::make_shared<Program>();
    program_ = program.get();
    program_->definition_ = std::move(definition);
    program_->hash_ = std::move(hash);
    program_->secrets_ = Value(Object{});
    const Definition& source = program_->definition_;
    if (!source.variables_schema.is_null()) {
      MAPFLOW_ASSIGN(program_->input_, Schema::compile(source.variables_schema));
    }
    if (source.concurrency && !source.concurrency->key.empty()) {
      std::size_t skipped = 0;
      MAPFLOW_ASSIGN(program_->turn_key_, environment_.compile_expression(jinja::bare_expression(source.concurrency->key, skipped),
                                                                          source.place("concurrency.key")));
    }
    MAPFLOW_ASSIGN(program_->main_, block(source.steps, nullptr));
    if (source.compensation_strategy == CompensationStrategy::custom && !source.compensation_steps.empty()) {
      MAPFLOW_ASSIGN(program_->compensation_, block(source.compensation_steps, nullptr));
    }
    return program;
  }

 private:
  /// A block takes its number before its steps take theirs, so numbers follow the order in the text.
  Result<BlockIndex> block(const Block& steps, const Branch* branch) {
    const BlockIndex index(static_cast<std::uint32_t>(program_->blocks_.size()));
    program_->blocks_.push_back({{}, branch});
    for (const Step& each : steps) {
      MAPFLOW_ASSIGN(const NodeIndex node, step(each));
      program_->blocks_[index.value].steps.push_back(node);
    }
    return index;
  }

  Result<NodeIndex> step(const Step& source) {
    const NodeIndex index(static_cast<std::uint32_t>(program_->nodes_.size()));
    program_->nodes_.emplace_back();
    StepNode node;
    node.step = &source;
    node.id = source.id;
    node.kind = kinds_.find(source.type);
    if (!node.kind) {
      Error error(code::invalid_input, "unknown step kind '" + source.type + "'", did_you_mean(source.type, kinds_.kind_names()));
      error.where = source.where;
      error.step = source.id;
      return fail(std::move(error));
    }
    const SpecCompiler compiler(environment_, source);
    MAPFLOW_ASSIGN(node.spec, node.kind->compile(compiler));
    program_->watches_ = program_->watches_ || node.spec->watches();
    if (source.retry && source.retry->strategy == RetryStrategy::custom) node.retry = kinds_.retry_policy(source.retry->custom);
    if (!source.when.empty()) {
      MAPFLOW_ASSIGN(node.when, compiler.expression_text(source.when, "when"));
    }
    collect_secrets(source.fields, program_->secrets_);
    for (const Branch& branch : source.branches) {
      MAPFLOW_ASSIGN(const BlockIndex inner, block(branch.steps, &branch));
      node.branches.push_back(inner);
    }
    for (const Branch& hook : source.hooks) {
      MAPFLOW_ASSIGN(const BlockIndex inner, block(hook.steps, &hook));
      if (hook.role == "on_error") node.on_error = inner;
      if (hook.role == "on_success") node.on_success = inner;
      if (hook.role == "compensate") node.compensate = inner;
      if (hook.role == "fallback") node.fallback = inner;
    }
    program_->nodes_[index.value] = std::move(node);
    return index;
  }

  const KindRegistry& kinds_;
  const jinja::Environment& environment_;
  Program* program_ = nullptr;
};

Status Program::check_retry_policies() const {
  for (const StepNode& node : nodes_) {
    if (!node.step->retry || node.step->retry->strategy != RetryStrategy::custom || node.retry) continue;
    Error error(code::not_found, "there is no retry policy '" + node.step->retry->custom + "'", "register it with Engine::retry_policy");
    error.where = node.step->place("retry");
    error.step = node.step->id;
    return fail(std::move(error));
  }
  return {};
}

Status Program::check_input(const Value& given) const {
  if (!given.is_null() && !given.is_object())
    return fail(code::invalid_input, "the input is a " + std::string(to_string(given.type())) + ", not an object");
  if (!input_) return {};
  const auto found = input_->check(given.is_null() ? Value(Object()) : given);
  if (found.empty()) return {};
  return fail(schema_error("the input", found));
}

Value Program::first_variables(const Value& given) const {
  Value variables = definition_.variables.is_null() ? Value(Object{}) : definition_.variables;
  if (given.is_object())
    for (const auto& [name, value] : given.as_object()) variables.set(name, value);
  return variables;
}

Result<std::string> Program::turn_key(const Value& given) const {
  if (!turn_key_) return std::string();
  MAPFLOW_ASSIGN(const Value key, turn_key_->evaluate(jinja::ValueScope(first_variables(given))));
  return key.is_text() ? std::string(key.as_text()) : to_canonical_json(key);
}

Result<std::shared_ptr<const Program>> compile(Definition definition, std::string hash, const KindRegistry& kinds,
                                               const jinja::Environment& environment) {
  return Compiler(kinds, environment).compile(std::move(definition), std::move(hash));
}

}  // namespace mapflow::kernel
