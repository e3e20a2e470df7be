#include "persistence/postgres_listener.h"

namespace mapflow::persistence::postgres {

void listen(const ConnectOptions& options, const Schema& schema, int stop, const PostHints::Tell& tell) {
  const auto db = Connection::open(options);
  if (!db || !(*db)->query("LISTEN \"" + inbox_channel(schema) + '"')) return;
  while ((*db)->usable() && !PostHints::stopped(stop)) {
    (*db)->notifications([&](std::string_view, std::string_view payload) { tell(payload); });
    (*db)->wait(stop);
  }
}

}  // namespace mapflow::persistence::postgres
