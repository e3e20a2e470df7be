// The JSON Schema of the definition language, for editors: `mapflow schema`.
#pragma once

#include "model/kind_schema.h"
#include "value/value.h"

namespace mapflow::builder {

/// A schema (draft 2020-12) of definitions in their present spelling, made of the same tables that they are read by: the
/// kinds of `kinds` with their fields, defaults and sentences. What the schema takes may still be refused by the
/// validator, which sees more; what it refuses is refused by the reader, older spellings aside.
Value json_schema(const KindCatalog& kinds);

}  // namespace mapflow::builder
