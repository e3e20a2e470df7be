// A compiled schema, as schema_compile.cpp makes it and schema.cpp reads it. Internal to the library.
#pragma once

#include <map>
#include <optional>
#include <re2/re2.h>
#include <utility>

#include "value/schema.h"

namespace mapflow {

using SchemaPtr = std::shared_ptr<const Schema::Node>;

struct Schema::Node {
  using Pattern = std::shared_ptr<const re2::RE2>;

  bool never = false;                        ///< the schema `false`
  std::vector<std::string> types;
  std::optional<Array> choices;              ///< enum
  std::optional<Value> constant;
  std::optional<double> minimum, maximum, above, below, multiple_of;
  std::optional<std::size_t> min_length, max_length, min_items, max_items, min_members, max_members;
  std::size_t min_contains = 1;
  std::optional<std::size_t> max_contains;
  bool unique_items = false;
  Pattern pattern;
  std::string pattern_text;

  std::vector<SchemaPtr> prefix_items;
  SchemaPtr items, contains;
  std::map<std::string, SchemaPtr, std::less<>> properties, dependent_schemas;
  std::vector<std::pair<Pattern, SchemaPtr>> pattern_properties;
  SchemaPtr additional, property_names;
  std::vector<std::string> required;
  std::map<std::string, std::vector<std::string>, std::less<>> dependent_required;

  std::vector<SchemaPtr> all_of, any_of, one_of;
  SchemaPtr negated, condition, then, otherwise;
  /// What `$ref` names. Not owned: it is this schema's own root or a part of it, which may be a part of itself.
  const Node* reference = nullptr;
  /// Parts that only references reach; held by the root.
  std::map<std::string, SchemaPtr, std::less<>> referenced;
};

}  // namespace mapflow
