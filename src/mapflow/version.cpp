#include "mapflow/version.h"

namespace mapflow {

std::string_view version() { return MAPFLOW_VERSION; }

}  // namespace mapflow
