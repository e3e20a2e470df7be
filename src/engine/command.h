// Requests to an instance whose partition another process runs: what lies in the store's inbox, as JSON.
//
//   {"command": "signal", "instance": "A-17", "id": "01h…", "name": "approval", "payload": …}
//
// The owner carries a command out once: the commit that holds its records also says that the inbox is read up to it.
// One with an id is carried out once even if it is left twice, and the instance remembers what became of it.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "engine/letters.h"
#include "engine/program_cache.h"

namespace mapflow::engine {

struct Command {
  std::string instance;
  kernel::Ticket ticket;  ///< its id is empty for a command that nobody asks after
  Demand demand;  ///< anything but WatchDemand and DescribeDemand
};

/// A start also brings the definitions that the store does not have yet.
std::string encode_command(const std::string& instance, const Demand& demand, persistence::Store& store,
                           const std::string& id = {});

/// Errors: invalid_input when it is no command; for a start, also those of ProgramCache::find.
Result<Command> decode_command(std::string_view bytes, ProgramCache& programs);

}  // namespace mapflow::engine
