#include "model/kind_schema.h"

namespace mapflow {

const FieldSpec* KindSchema::field(std::string_view wanted) const {
  for (const FieldSpec& each : fields)
    if (each.name == wanted) return &each;
  return nullptr;
}

}  // namespace mapflow
