// Agents who are people: a message to one waits in the inbox until somebody answers it by its token.
#pragma once

#include <memory>

#include "agents/transport.h"

namespace mapflow::agents {

/// `human: {}`. Further settings are kept for those who show the inbox (`role`, `form` …) and mean nothing here.
std::unique_ptr<Transport> make_human_transport();

}  // namespace mapflow::agents
