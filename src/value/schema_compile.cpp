#include <algorithm>
#include <charconv>

#include "value/json.h"
#include "value/schema_node.h"

namespace mapflow {

namespace {

constexpr int kDeepest = 100;

std::unexpected<Error> not_a_schema(const std::string& place, const std::string& why) {
  return fail(code::invalid_input, "not a JSON Schema: " + (place.empty() ? "#" : place) + " " + why);
}

/// "#/$defs/a~1b" to its parts; RFC 6901 escapes undone (percent escapes are not used inside one file).
std::vector<std::string> pointer_parts(std::string_view pointer) {
  std::vector<std::string> parts;
  while (!pointer.empty()) {
    pointer.remove_prefix(1);
    const auto slash = pointer.find('/');
    std::string part(pointer.substr(0, slash));
    for (const auto& [escaped, plain] : {std::pair{"~1", "/"}, std::pair{"~0", "~"}})
      for (auto at = part.find(escaped); at != std::string::npos; at = part.find(escaped, at + 1)) part.replace(at, 2, plain);
    parts.push_back(std::move(part));
    pointer = slash == std::string_view::npos ? std::string_view() : pointer.substr(slash);
  }
  return parts;
}

const Value* at_pointer(const Value& root, std::string_view pointer) {
  const Value* at = &root;
  for (const std::string& part : pointer_parts(pointer)) {
    if (at->is_array()) {
      std::size_t index = 0;
      const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), index);
      at = error == std::errc() && index < at->size() ? &at->as_array()[index] : nullptr;
    } else {
      at = at->find(part);
    }
    if (!at) return nullptr;
  }
  return at;
}

class SchemaCompiler {
 public:
  explicit SchemaCompiler(const Value& document) : document_(document) {}

  Result<SchemaPtr> compile() {
    auto root = std::make_shared<Schema::Node>();
    root_ = root.get();
    MAPFLOW_TRY(fill(*root, document_, "", 0));
    root->referenced = std::move(referenced_);
    return root;
  }

 private:
  using Node = Schema::Node;

  Result<SchemaPtr> make(const Value& source, const std::string& place, int depth) {
    if (depth > kDeepest) return not_a_schema(place, "is nested too deeply");
    auto node = std::make_shared<Node>();
    MAPFLOW_TRY(fill(*node, source, place, depth));
    return node;
  }

  Status fill(Node& node, const Value& source, const std::string& place, int depth) {
    if (source.is_bool()) {
      node.never = !source.as_bool();
      return {};
    }
    if (!source.is_object()) return not_a_schema(place, "is a " + std::string(to_string(source.type())) + ", not an object or boolean");
    for (const auto& [key, value] : source.as_object()) {
      const std::string here = place + "/" + std::string(key);
      MAPFLOW_TRY(simple_keyword(node, key, value, here));
      MAPFLOW_TRY(nested_keyword(node, key, value, here, depth + 1));
    }
    return {};
  }

  /// Keywords that hold plain data.
  Status simple_keyword(Node& node, std::string_view key, const Value& value, const std::string& place) {
    if (key == "type") return value.is_text() ? add_type(node, value, place) : each_text(value, place, [&](const Value& one) { return add_type(node, one, place); });
    if (key == "enum") {
      if (!value.is_array()) return not_a_schema(place, "is not a list");
      node.choices = value.as_array();
    }
    if (key == "const") node.constant = value;
    for (const auto& [name, bound] : {std::pair{"minimum", &node.minimum}, {"maximum", &node.maximum}, {"exclusiveMinimum", &node.above},
                                      {"exclusiveMaximum", &node.below}, {"multipleOf", &node.multiple_of}}) {
      if (key != name) continue;
      if (!value.is_number()) return not_a_schema(place, "is not a number");
      *bound = value.as_double();
    }
    for (const auto& [name, bound] : {std::pair{"minLength", &node.min_length}, {"maxLength", &node.max_length}, {"minItems", &node.min_items},
                                      {"maxItems", &node.max_items}, {"minProperties", &node.min_members},
                                      {"maxProperties", &node.max_members}, {"maxContains", &node.max_contains}}) {
      if (key == name) MAPFLOW_TRY(set_count(*bound, value, place));
    }
    if (key == "minContains") {
      std::optional<std::size_t> count;
      MAPFLOW_TRY(set_count(count, value, place));
      node.min_contains = *count;
    }
    if (key == "uniqueItems" && value.is_bool()) node.unique_items = value.as_bool();
    if (key == "pattern") {
      if (!value.is_text()) return not_a_schema(place, "is not a text");
      node.pattern_text = value.as_text();
      MAPFLOW_ASSIGN(node.pattern, pattern(value.as_text(), place));
    }
    if (key == "required") return each_text(value, place, [&](const Value& one) { node.required.emplace_back(one.as_text()); return Status(); });
    if (key == "dependentRequired" && value.is_object()) {
      for (const auto& [name, names] : value.as_object())
        MAPFLOW_TRY(each_text(names, place, [&, &member = name](const Value& one) {
          node.dependent_required[std::string(member)].emplace_back(one.as_text());
          return Status();
        }));
    }
    for (const char* unknown : {"$dynamicRef", "unevaluatedItems", "unevaluatedProperties"})
      if (key == unknown) return not_a_schema(place, "is a keyword that is not supported");
    return {};
  }

  /// Keywords that hold schemas.
  Status nested_keyword(Node& node, std::string_view key, const Value& value, const std::string& place, int depth) {
    for (const auto& [name, slot] : {std::pair{"items", &node.items}, {"contains", &node.contains}, {"additionalProperties", &node.additional},
                                     {"propertyNames", &node.property_names}, {"not", &node.negated}, {"if", &node.condition},
                                     {"then", &node.then}, {"else", &node.otherwise}}) {
      if (key != name) continue;
      MAPFLOW_ASSIGN(*slot, make(value, place, depth));
    }
    for (const auto& [name, list] : {std::pair{"allOf", &node.all_of}, {"anyOf", &node.any_of}, {"oneOf", &node.one_of},
                                     {"prefixItems", &node.prefix_items}}) {
      if (key != name) continue;
      if (!value.is_array()) return not_a_schema(place, "is not a list of schemas");
      for (std::size_t i = 0; i < value.size(); ++i) {
        MAPFLOW_ASSIGN(auto part, make(value.as_array()[i], place + "/" + std::to_string(i), depth));
        list->push_back(std::move(part));
      }
    }
    if (key == "properties" || key == "dependentSchemas" || key == "patternProperties") {
      if (!value.is_object()) return not_a_schema(place, "is not an object of schemas");
      for (const auto& [name, part] : value.as_object()) {
        MAPFLOW_ASSIGN(auto made, make(part, place + "/" + std::string(name), depth));
        if (key == "patternProperties") {
          MAPFLOW_ASSIGN(auto compiled, pattern(name, place));
          node.pattern_properties.emplace_back(std::move(compiled), std::move(made));
        } else {
          (key == "properties" ? node.properties : node.dependent_schemas)[std::string(name)] = std::move(made);
        }
      }
    }
    if (key == "$ref") return refer(node, value, place, depth);
    return {};
  }

  Status refer(Node& node, const Value& value, const std::string& place, int depth) {
    if (!value.is_text() || !value.as_text().starts_with('#')) return not_a_schema(place, "refers outside this schema");
    const std::string pointer(value.as_text().substr(1));
    if (pointer.empty()) {
      node.reference = root_;
      return {};
    }
    if (const auto known = referenced_.find(pointer); known != referenced_.end()) {
      node.reference = known->second.get();
      return {};
    }
    const Value* target = pointer.starts_with('/') ? at_pointer(document_, pointer) : nullptr;
    if (!target) return not_a_schema(place, "refers to '" + std::string(value.as_text()) + "', which is not there");
    auto made = std::make_shared<Node>();
    referenced_[pointer] = made;  // before it is filled: it may refer to itself
    node.reference = made.get();
    if (depth > kDeepest) return not_a_schema(place, "is nested too deeply");
    return fill(*made, *target, pointer, depth);
  }

  static Status add_type(Node& node, const Value& name, const std::string& place) {
    static constexpr std::string_view kTypes[] = {"null", "boolean", "integer", "number", "string", "array", "object"};
    if (std::ranges::find(kTypes, name.as_text()) == std::end(kTypes))
      return not_a_schema(place, "names the unknown type '" + std::string(name.as_text()) + "'");
    node.types.emplace_back(name.as_text());
    return {};
  }

  static Status set_count(std::optional<std::size_t>& bound, const Value& value, const std::string& place) {
    if (!value.is_number() || value.as_double() < 0 || value.as_double() > 1e15) return not_a_schema(place, "is not a count");
    bound = static_cast<std::size_t>(value.as_double());
    return {};
  }

  template <class Use>
  static Status each_text(const Value& list, const std::string& place, const Use& use) {
    if (!list.is_array()) return not_a_schema(place, "is not a list of texts");
    for (const Value& one : list.as_array()) {
      if (!one.is_text()) return not_a_schema(place, "is not a list of texts");
      MAPFLOW_TRY(use(one));
    }
    return {};
  }

  static Result<Node::Pattern> pattern(std::string_view text, const std::string& place) {
    re2::RE2::Options options;
    options.set_log_errors(false);
    auto compiled = std::make_shared<const re2::RE2>(re2::StringPiece(text.data(), text.size()), options);
    if (!compiled->ok()) return not_a_schema(place, "is not a regular expression: " + compiled->error());
    return compiled;
  }

  const Value& document_;
  Schema::Node* root_ = nullptr;
  std::map<std::string, SchemaPtr, std::less<>> referenced_;
};

}  // namespace

Result<Schema> Schema::compile(const Value& schema) {
  MAPFLOW_ASSIGN(auto root, SchemaCompiler(schema).compile());
  return Schema(std::move(root));
}

}  // namespace mapflow
