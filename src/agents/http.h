// The transport `http`: the envelope as the JSON body of a request, the answer as the JSON body of its response.
//
//   http: { url: "http://127.0.0.1:7001/", headers: { X-Team: orders }, method: POST }
//
// docs/agents.md says what a server may rely on and how its answers are read.
#pragma once

#include <memory>

#include "agents/http_loop.h"
#include "agents/transport.h"

namespace mapflow::agents {

std::unique_ptr<Transport> make_http_transport();
/// With other limits than the usual ones.
std::unique_ptr<Transport> make_http_transport(HttpLimits limits);

}  // namespace mapflow::agents
