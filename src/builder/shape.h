// The shape of a definition: ids, kinds, and the fields of every step against its kind's table.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "model/definition.h"
#include "model/diagnostic.h"
#include "model/kind_schema.h"

namespace mapflow::builder {

/// Deepest nesting of steps in steps. Keeps every canonical document within what the JSON parser takes.
inline constexpr std::size_t kDeepestNesting = 100;

/// Adds what is wrong with the shape of `definition`, however it was made. Looks at no template.
void check_shape(const Definition& definition, const KindCatalog& kinds, Diagnostics& found);

/// Adds what is wrong with one field's value by its spec. Fields that hold steps are not values.
void check_field(const Step& step, const FieldSpec& spec, const Value& value, Diagnostics& found);

/// Adds what keeps `schema` from being a JSON Schema, at the place of the offending part.
void check_json_schema(const Value& schema, const std::string& path, const std::function<Location(const std::string&)>& place,
                       Diagnostics& found);

/// Whether `id` can name a step or workflow: no blanks, quotes, braces or any of / [ ] # : and at most 200 bytes. A
/// step's may hold no dot either, because `results.a.b` could not be told apart.
bool is_usable_id(std::string_view id, bool allow_dots);

}  // namespace mapflow::builder
