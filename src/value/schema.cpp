#include "value/schema.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "value/json.h"
#include "value/schema_node.h"

namespace mapflow {

namespace {

constexpr int kDeepest = 400;  // of schemas that refer to themselves, along one path

std::size_t code_points(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

bool whole(const Value& value) {
  return value.is_integer() || (value.is_double() && std::isfinite(value.as_double()) && std::floor(value.as_double()) == value.as_double());
}

bool has_type(const Value& value, std::string_view type) {
  if (type == "integer") return whole(value);
  if (type == "number") return value.is_number();
  return to_string(value.type()) == type;
}

class Checker {
 public:
  explicit Checker(std::size_t limit) : limit_(limit) {}

  void check(const Schema::Node& node, const Value& value) {
    if (full()) return;
    if (++depth_ > kDeepest) {
      found("is nested too deeply for its schema");
    } else {
      check_any(node, value);
      if (value.is_number()) check_number(node, value.as_double());
      if (value.is_text()) check_text(node, value.as_text());
      if (value.is_array()) check_list(node, value.as_array());
      if (value.is_object()) check_object(node, value);
      check_combinations(node, value);
      if (node.reference) check(*node.reference, value);
    }
    --depth_;
  }

  std::vector<SchemaViolation> take() { return std::move(found_); }

 private:
  bool full() const { return found_.size() >= limit_; }
  void found(std::string message) {
    if (!full()) found_.push_back({path_, std::move(message)});
  }

  bool fits(const Schema::Node& node, const Value& value) const {
    Checker inner(1);
    inner.depth_ = depth_;
    inner.check(node, value);
    return inner.found_.empty();
  }

  void check_below(std::string_view part, const Schema::Node& node, const Value& value) {
    const std::size_t length = path_.size();
    if (!path_.empty()) path_ += '.';
    path_ += part;
    check(node, value);
    path_.resize(length);
  }

  void check_any(const Schema::Node& node, const Value& value) {
    if (node.never) found("is not allowed");
    if (!node.types.empty() && std::ranges::none_of(node.types, [&](const auto& type) { return has_type(value, type); }))
      found(fmt::format("is {} {}, not {}", value.is_array() || value.is_object() || value.is_integer() ? "an" : "a",
                        to_string(value.type()), fmt::join(node.types, " or ")));
    if (node.choices && std::ranges::find(*node.choices, value) == node.choices->end())
      found("is not one of " + to_json(Value(*node.choices)));
    if (node.constant && !(*node.constant == value)) found("is not " + to_json(*node.constant));
  }

  void check_number(const Schema::Node& node, double number) {
    if (node.minimum && number < *node.minimum) found(fmt::format("is less than {}", *node.minimum));
    if (node.maximum && number > *node.maximum) found(fmt::format("is more than {}", *node.maximum));
    if (node.above && number <= *node.above) found(fmt::format("is not more than {}", *node.above));
    if (node.below && number >= *node.below) found(fmt::format("is not less than {}", *node.below));
    if (node.multiple_of && *node.multiple_of > 0) {
      const double times = number / *node.multiple_of;
      if (std::abs(times - std::round(times)) > 1e-9 * std::max(1.0, std::abs(times))) found(fmt::format("is no multiple of {}", *node.multiple_of));
    }
  }

  void check_size(std::size_t size, const std::optional<std::size_t>& least, const std::optional<std::size_t>& most, const char* what) {
    if (least && size < *least) found(fmt::format("has {} {}, fewer than {}", size, what, *least));
    if (most && size > *most) found(fmt::format("has {} {}, more than {}", size, what, *most));
  }

  void check_text(const Schema::Node& node, std::string_view text) {
    check_size(code_points(text), node.min_length, node.max_length, "characters");
    if (node.pattern && !re2::RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), *node.pattern))
      found("does not match " + node.pattern_text);
  }

  void check_list(const Schema::Node& node, const Array& items) {
    check_size(items.size(), node.min_items, node.max_items, "items");
    for (std::size_t i = 0; i < items.size() && !full(); ++i) {
      if (i < node.prefix_items.size()) check_below(std::to_string(i), *node.prefix_items[i], items[i]);
      else if (node.items) check_below(std::to_string(i), *node.items, items[i]);
    }
    if (node.unique_items) {
      std::vector<std::string> seen;
      for (const Value& item : items) seen.push_back(to_canonical_json(item));
      std::ranges::sort(seen);
      if (std::ranges::adjacent_find(seen) != seen.end()) found("has the same item twice");
    }
    if (node.contains) {
      const auto hits = static_cast<std::size_t>(std::ranges::count_if(items, [&](const Value& item) { return fits(*node.contains, item); }));
      if (hits < node.min_contains) found(fmt::format("has {} items of the kind it must contain, fewer than {}", hits, node.min_contains));
      if (node.max_contains && hits > *node.max_contains) found(fmt::format("has {} items of a kind of which it may contain {}", hits, *node.max_contains));
    }
  }

  void check_object(const Schema::Node& node, const Value& value) {
    const Object& members = value.as_object();
    check_size(members.size(), node.min_members, node.max_members, "members");
    for (const std::string& name : node.required)
      if (!members.contains(name)) found("has no member '" + name + "'");
    for (const auto& [name, needed] : node.dependent_required)
      for (const std::string& other : needed)
        if (members.contains(name) && !members.contains(other)) found("has '" + name + "' but not '" + other + "'");
    for (const auto& [name, schema] : node.dependent_schemas)
      if (members.contains(name)) check(*schema, value);
    for (const auto& [name, member] : members) {
      if (node.property_names && !fits(*node.property_names, Value(name))) found("has a member with the name '" + std::string(name) + "', which is not allowed");
      bool known = false;
      if (const auto own = node.properties.find(name.view()); own != node.properties.end()) {
        known = true;
        check_below(name, *own->second, member);
      }
      for (const auto& [pattern, schema] : node.pattern_properties) {
        if (!re2::RE2::PartialMatch(re2::StringPiece(name.view().data(), name.size()), *pattern)) continue;
        known = true;
        check_below(name, *schema, member);
      }
      if (known || !node.additional) continue;
      if (node.additional->never) found("has the unknown member '" + std::string(name) + "'");
      else check_below(name, *node.additional, member);
    }
  }

  void check_combinations(const Schema::Node& node, const Value& value) {
    for (const SchemaPtr& part : node.all_of) check(*part, value);
    const auto count = [&](const std::vector<SchemaPtr>& parts) {
      return std::ranges::count_if(parts, [&](const SchemaPtr& part) { return fits(*part, value); });
    };
    if (!node.any_of.empty() && count(node.any_of) == 0) found("fits none of the schemas of which it must fit one");
    if (!node.one_of.empty()) {
      if (const auto fitting = count(node.one_of); fitting != 1) found(fmt::format("fits {} of the schemas of which it must fit exactly one", fitting));
    }
    if (node.negated && fits(*node.negated, value)) found("fits a schema that it must not fit");
    if (!node.condition) return;
    const SchemaPtr& branch = fits(*node.condition, value) ? node.then : node.otherwise;
    if (branch) check(*branch, value);
  }

  std::size_t limit_;
  int depth_ = 0;
  std::string path_;
  std::vector<SchemaViolation> found_;
};

}  // namespace

std::vector<SchemaViolation> Schema::check(const Value& value, std::size_t limit) const {
  Checker checker(limit);
  checker.check(*root_, value);
  return checker.take();
}

Error schema_error(std::string_view what, const std::vector<SchemaViolation>& found) {
  Error error(code::invalid_input, std::string(what) + " does not fit its schema");
  Array details;
  for (const SchemaViolation& each : found) {
    error.message += (&each == &found.front() ? ": " : "; ") + (each.path.empty() ? "it" : each.path) + " " + each.message;
    details.push_back(object({{"path", each.path}, {"message", each.message}}));
  }
  error.details = to_json(Value(std::move(details)));
  return error;
}

}  // namespace mapflow
