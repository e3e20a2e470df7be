// What the verbs that want something of an instance share: a clerk on an existing store, and what they say afterwards.
#pragma once

#include <memory>
#include <string>

#include "base/error.h"
#include "cli/console.h"
#include "cli/wire.h"
#include "engine/clerk.h"

namespace mapflow::cli {

/// A clerk and what it needs.
struct Desk {
  std::unique_ptr<kernel::KindRegistry> kinds;
  std::unique_ptr<engine::Clerk> clerk;
};

/// Errors: those of open_existing().
Result<Desk> open_desk(const std::string& store);
/// Makes the store when it is not there, and waits for its server. Errors: those of open_patiently().
Result<Desk> open_or_make_desk(const std::string& store, const Patience& patience);

/// Refuses what the clerk refused: exit 2 when the instance did, exit 3 when the store did.
ExitCode refuse_request(Console& console, const Error& error, bool json);

/// Says that a request was carried out, what state the instance is in, and how it goes on if nobody runs it.
ExitCode tell_carried_out(Console& console, engine::Clerk& clerk, const std::string& id, const std::string& done,
                          const std::string& store, bool json);

/// How an instance that nobody runs is made to go on.
std::string ways_to_go_on(const Definition& definition, const std::string& id, const std::string& store);

}  // namespace mapflow::cli
