// JSON Schema: does a value have the shape that a schema asks for?
//
// Draft 2020-12 (https://json-schema.org/draft/2020-12/schema), the parts that say something about one document:
// type, enum, const, bounds of numbers, texts, lists and objects, pattern, properties and their kin, items,
// prefixItems, contains, uniqueItems, allOf, anyOf, oneOf, not, if/then/else, dependentRequired, dependentSchemas,
// and $ref within the schema (`#`, `#/$defs/…`). `format` is a remark, as the draft has it by default. Not known,
// and therefore refused rather than passed over: $ref to other documents, $dynamicRef, unevaluated….
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "value/value.h"

namespace mapflow {

struct SchemaViolation {
  std::string path;      ///< dotted place in the value, "items.0.price"; empty: the value itself
  std::string message;   ///< "is a string, not an integer"
};

/// A schema, checked and compiled once. Immutable; may be used from many threads.
class Schema {
 public:
  /// Errors: invalid_input when it is no schema, naming the place in it.
  static Result<Schema> compile(const Value& schema);
  /// Everything that is wrong with `value`, at most `limit` findings; empty: it fits.
  std::vector<SchemaViolation> check(const Value& value, std::size_t limit = 20) const;

  struct Node;  // internal

 private:
  explicit Schema(std::shared_ptr<const Node> root) : root_(std::move(root)) {}
  std::shared_ptr<const Node> root_;
};

/// The findings as one invalid_input error: "input does not fit its schema: items.0.price is a string, not a number".
Error schema_error(std::string_view what, const std::vector<SchemaViolation>& found);

}  // namespace mapflow
