// Hears of what is posted to the inbox, by whichever process.
#pragma once

#include "persistence/post_hints.h"
#include "persistence/postgres_leases.h"

namespace mapflow::persistence::postgres {

/// Tells of what is posted until the connection is lost or `stop` (a file descriptor) is readable.
void listen(const ConnectOptions& options, const Schema& schema, int stop, const PostHints::Tell& tell);

}  // namespace mapflow::persistence::postgres
