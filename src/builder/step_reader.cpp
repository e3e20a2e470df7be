// One step: the fields common to all kinds as members, the kind's own by its schema.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "builder/reader.h"
#include "builder/reading.h"

namespace mapflow::builder {

namespace {

constexpr std::array<std::string_view, 4> kHookRoles{"on_error", "on_success", "compensate", "fallback"};

constexpr std::array<std::string_view, 16> kCommonKeys{"id", "name", "description", "type", "when", "timeout", "total_timeout",
                                                       "retry", "budget", "on_error", "on_success", "compensate", "fallback",
                                                       "output_key", "checkpoint", "metadata"};

constexpr std::array<std::string_view, 9> kRetryKeys{"strategy", "max_attempts", "initial_delay", "max_delay", "backoff_factor",
                                                     "jitter", "retry_on", "abort_on", "custom"};

class StepReader {
 public:
  StepReader(Reading& reading, Node node) : reading_(reading), node_(node) {}

  Step read() {
    step_.where = reading_.at(node_.mark());
    if (const Node type = node_.find("type"); type && !type.is_null()) {
      if (auto name = reading_.text(type, "type")) step_.type = *std::move(name);
    }
    schema_ = step_.type.empty() ? nullptr : reading_.kinds().schema(step_.type);
    for (const Node member : node_.children()) {
      if (member.is_null() || member.key() == "type") {
        reading_.note(step_.places, std::string(member.key()), member.mark());
        check_known(member);
      } else if (member.key() == "$places") {
        places_ = member;
      } else if (!read_common(member)) {
        read_own(member);
      }
    }
    if (!fields_.empty()) step_.fields = Value(std::move(fields_));
    if (places_) restore_places();
    return std::move(step_);
  }

 private:
  /// A key without a value counts as left out, but still has to be one that there is.
  void check_known(Node member) {
    if (schema_ && !schema_->field(member.key()) && std::ranges::find(kCommonKeys, member.key()) == kCommonKeys.end()) unknown(member);
  }

  void unknown(Node member) {
    std::vector<std::string_view> known;
    for (const FieldSpec& field : schema_->fields) known.push_back(field.name);
    known.insert(known.end(), kCommonKeys.begin(), kCommonKeys.end());
    reading_.unknown_key(member, fmt::format("a {} step", step_.type), known);
  }

  bool read_common(Node member) {
    const std::string_view key = member.key();
    const std::string name(key);
    if (std::ranges::find(kHookRoles, key) != kHookRoles.end()) {
      reading_.note(step_.places, name, member.mark());
      if (key == "on_error" && member.is_text()) read_on_error(member);
      else read_hook(member);
      return true;
    }
    const auto keep_text = [&](std::string& into) {
      if (auto text = reading_.text(member, key)) into = *std::move(text);
    };
    Mark start = member.mark();
    if (key == "id") keep_text(step_.id);
    else if (key == "name") keep_text(step_.name);
    else if (key == "description") keep_text(step_.description);
    else if (key == "output_key") keep_text(step_.output_key);
    else if (key == "checkpoint") keep_text(step_.checkpoint);
    else if (key == "when") step_.when = reading_.expression(member, key, &start).value_or("");
    else if (key == "timeout") step_.timeout = reading_.duration(member, key);
    else if (key == "total_timeout") step_.total_timeout = reading_.duration(member, key);
    else if (key == "retry") step_.retry = read_retry(reading_, member);
    else if (key == "budget") step_.budget = read_step_budget(reading_, member);
    else if (key == "metadata") step_.metadata = member.to_value();
    else return false;
    reading_.note_text(step_.places, name, member, start);
    return true;
  }

  void read_on_error(Node member) {
    static constexpr std::array<std::string_view, 3> kPolicies{"fail", "continue", "suspend"};
    if (const auto policy = reading_.choice(member, "on_error", kPolicies)) step_.on_error = static_cast<OnError>(*policy);
  }

  void read_hook(Node member) {
    Branch hook;
    hook.role = member.key();
    hook.where = reading_.at(member.mark());
    hook.steps = read_block(reading_, member, member.key());
    if (hook.role == "on_error") step_.on_error = OnError::handle;
    step_.hooks.push_back(std::move(hook));
  }

  void read_own(Node member) {
    if (!schema_) return;  // an unknown kind is one problem, not one for each of its fields
    const FieldSpec* field = schema_->field(member.key());
    if (!field) return unknown(member);
    const std::string path(member.key());
    switch (field->type) {
      case FieldType::steps:
        reading_.note(step_.places, path, member.mark());
        add_branch(path, {}, {}, member, path);
        break;
      case FieldType::branches: read_branches(member, path); break;
      case FieldType::cases: read_cases(member, path); break;
      default: fields_.set(Text(member.key()), read_field(*field, member, path)); break;
    }
  }

  /// Wrong types are kept as they are: the shape check says so, for definitions from everywhere alike.
  Value read_field(const FieldSpec& field, Node member, const std::string& path) {
    switch (field.type) {
      case FieldType::expression:
      case FieldType::items:
        if (!member.is_text()) break;
        return read_expression(member, path);
      case FieldType::expressions: {
        reading_.note(step_.places, path, member.mark());
        if (!member.is_list()) return array({read_expression(member, path + ".0")});
        Array items;
        for (const Node item : member.children()) items.push_back(read_expression(item, path + "." + std::to_string(items.size())));
        return Value(std::move(items));
      }
      case FieldType::text:
      case FieldType::name:
        if (!member.is_scalar() || !member.scalar().is_number()) break;
        reading_.note(step_.places, path, member.mark());
        return Value(reading_.text(member, path).value_or(""));
      case FieldType::names: {
        if (member.is_map()) break;
        reading_.note(step_.places, path, member.mark());
        Array items;
        for (std::string& each : reading_.texts(member, path)) items.push_back(Value(each));
        return Value(std::move(items));
      }
      default: break;
    }
    return reading_.value(member, path, TextMode::as_template, step_.places);
  }

  Value read_expression(Node node, const std::string& path) {
    Mark start = node.mark();
    auto text = reading_.expression(node, path, &start);
    reading_.note_text(step_.places, path, node, start);
    return text ? Value(*text) : node.to_value();
  }

  void add_branch(const std::string& role, std::string_view name, std::string when, Node steps, std::string_view what) {
    Branch branch;
    branch.role = role;
    branch.name = name;
    branch.when = std::move(when);
    branch.where = reading_.at(steps.mark());
    branch.steps = read_block(reading_, steps, what);
    step_.branches.push_back(std::move(branch));
  }

  static bool holds_named_branches(Node node) {
    if (!node.is_map() || node.find("$places") || node.size() == 0) return false;
    for (const Node member : node.children())
      if (member.is_scalar()) return false;
    return true;
  }

  void read_branches(Node member, const std::string& role) {
    reading_.note(step_.places, role, member.mark());
    std::size_t index = 0;
    const auto read_one = [&](Node node) {
      if (!holds_named_branches(node)) {
        reading_.note(step_.places, role + "." + std::to_string(index++), node.mark());
        return add_branch(role, {}, {}, node, role);
      }
      for (const Node named : node.children()) {
        reading_.note(step_.places, role + "." + std::to_string(index++), named.key_mark());
        add_branch(role, named.key(), {}, named, named.key());
        step_.branches.back().where = reading_.at(named.key_mark());
      }
    };
    if (!member.is_list()) return read_one(member);
    for (const Node each : member.children()) {
      // A list in the list would be a branch without a name; the shape check asks for one.
      read_one(each);
    }
  }

  void read_cases(Node member, const std::string& role) {
    static constexpr std::array<std::string_view, 2> kKeys{"when", "steps"};
    reading_.note(step_.places, role, member.mark());
    std::size_t index = 0;
    const auto read_one = [&](Node node) {
      const std::string path = role + "." + std::to_string(index++);
      reading_.note(step_.places, path, node.mark());
      if (!reading_.expect_map(node, path)) return;
      for (const Node each : node.children())
        if (std::ranges::find(kKeys, each.key()) == kKeys.end()) reading_.unknown_key(each, "a case of " + role, kKeys);
      const Node when = node.find("when"), steps = node.find("steps");
      Mark start = node.mark();
      std::string condition;
      if (!when || when.is_null()) reading_.error(mf::missing, node.mark(), "a case needs 'when'");
      else condition = reading_.expression(when, "when", &start).value_or("");
      reading_.note_text(step_.places, path + ".when", when ? when : node, start);
      if (!steps) return reading_.error(mf::missing, node.mark(), "a case needs 'steps'");
      add_branch(role, {}, std::move(condition), steps, "steps");
      step_.branches.back().where = reading_.at(node.mark());
    };
    if (!member.is_list()) return read_one(member);
    for (const Node each : member.children()) read_one(each);
  }

  /// Places that travelled with the document: of the step ("") and its fields, as [line, column].
  void restore_places() {
    if (!places_.is_map()) return;
    const auto location = [&](Node pair) {
      Location at = step_.where;
      const Value value = pair.to_value();
      if (value.is_array() && value.size() == 2 && value.as_array()[0].is_integer() && value.as_array()[1].is_integer()) {
        at = reading_.at({static_cast<std::uint32_t>(value.as_array()[0].as_integer()),
                          static_cast<std::uint32_t>(value.as_array()[1].as_integer())});
      }
      return at;
    };
    for (const Node each : places_.children()) {
      if (each.key() == "$") step_.where = location(each);
      else step_.places.insert_or_assign(std::string(each.key()), location(each));
    }
    std::map<std::string, std::size_t> counts;
    for (Branch& branch : step_.branches) {
      const FieldSpec* field = schema_ ? schema_->field(branch.role) : nullptr;
      const bool many = field && field->type != FieldType::steps;
      branch.where = step_.place(many ? branch.role + "." + std::to_string(counts[branch.role]++) : branch.role);
    }
    for (Branch& hook : step_.hooks) hook.where = step_.place(hook.role);
  }

  Reading& reading_;
  Node node_;
  Node places_;
  const KindSchema* schema_ = nullptr;
  Step step_;
  Object fields_;
};

}  // namespace

std::span<const std::string_view> step_keys() { return kCommonKeys; }
std::span<const std::string_view> retry_keys() { return kRetryKeys; }

Step read_step(Reading& reading, Node node) {
  translate_step(reading, node);
  return StepReader(reading, node).read();
}

Block read_block(Reading& reading, Node node, std::string_view what) {
  Block block;
  if (node.is_map()) {
    block.push_back(read_step(reading, node));
  } else if (node.is_list()) {
    for (const Node each : node.children()) {
      if (each.is_map()) block.push_back(read_step(reading, each));
      else reading.error(mf::wrong_type, each.mark(), fmt::format("a step in '{}' must be an object, not {}", what, each.kind_name()));
    }
  } else if (!node.is_null()) {
    reading.error(mf::wrong_type, node.mark(), fmt::format("'{}' must be a step or a list of steps, not {}", what, node.kind_name()));
  }
  return block;
}

std::optional<RetryPolicy> read_retry(Reading& reading, Node node) {
  static constexpr std::array<std::string_view, 5> kStrategies{"none", "immediate", "linear", "exponential", "custom"};
  constexpr std::int64_t kMostAttempts = 1'000'000;
  RetryPolicy policy;
  const auto strategy = [&](Node from) {
    if (const auto chosen = reading.choice(from, "strategy", kStrategies)) policy.strategy = static_cast<RetryStrategy>(*chosen);
  };
  const auto attempts = [&](Node from) {
    if (const auto count = reading.integer(from, "max_attempts", 1, kMostAttempts)) policy.max_attempts = static_cast<std::uint32_t>(*count);
  };
  if (node.is_scalar() && node.scalar().is_integer()) {
    attempts(node);
    return policy;
  }
  if (node.is_text()) {
    strategy(node);
    return policy;
  }
  if (!reading.expect_map(node, "retry")) return std::nullopt;
  for (const Node member : node.children()) {
    const std::string_view key = member.key();
    if (std::ranges::find(kRetryKeys, key) == kRetryKeys.end()) reading.unknown_key(member, "retry", kRetryKeys);
    else if (member.is_null()) continue;
    else if (key == "strategy") strategy(member);
    else if (key == "max_attempts") attempts(member);
    else if (key == "initial_delay") policy.initial_delay = reading.duration(member, key).value_or(policy.initial_delay);
    else if (key == "max_delay") policy.max_delay = reading.duration(member, key).value_or(policy.max_delay);
    else if (key == "backoff_factor") policy.backoff_factor = reading.number(member, key, 1, 1000).value_or(policy.backoff_factor);
    else if (key == "jitter") policy.jitter = reading.number(member, key, 0, 1).value_or(policy.jitter);
    else if (key == "retry_on") policy.retry_on = reading.texts(member, key);
    else if (key == "abort_on") policy.abort_on = reading.texts(member, key);
    else if (key == "custom") policy.custom = reading.text(member, key).value_or("");
  }
  const bool named = !policy.custom.empty();
  if (named && policy.strategy != RetryStrategy::custom) {
    if (node.find("strategy")) reading.error(mf::not_allowed, node.find("custom").mark(), "'custom' names a policy, so the strategy must be custom");
    policy.strategy = RetryStrategy::custom;
  } else if (!named && policy.strategy == RetryStrategy::custom) {
    reading.error(mf::missing, node.mark(), "strategy custom needs 'custom', the name of a registered policy");
  }
  return policy;
}

}  // namespace mapflow::builder
