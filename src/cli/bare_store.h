// What a backend itself can do on this machine: bare calls of its client library, no engine and no store around them.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "cli/recording_store.h"

namespace mapflow::cli {

struct BareFigures {
  double seconds = 0;
  std::uint64_t transactions = 0;
  std::uint64_t bytes = 0;  ///< of values given to statements
};

/// A place of its own beside a store, gone at the end.
class BareStore {
 public:
  virtual ~BareStore() = default;
  /// Writes the transactions, one after the other and each durable before the next, into tables like the store's, which
  /// has written them before. Errors: unavailable.
  virtual Result<BareFigures> write(const std::vector<RecordedTransaction>& transactions) = 0;
};

/// For the store of that URL, which must not exist yet: a measurement starts from nothing. Errors: invalid_input, also
/// for kinds of stores that have no bare counterpart; unavailable.
Result<std::unique_ptr<BareStore>> make_bare_store(const std::string& url);

/// A backend is one file and one line in bare_store.cpp. Each takes the whole URL.
Result<std::unique_ptr<BareStore>> make_bare_sqlite(const std::string& url);
Result<std::unique_ptr<BareStore>> make_bare_postgres(const std::string& url);
Result<std::unique_ptr<BareStore>> make_bare_redis(const std::string& url);

/// History as the store wrote it, compressed or not, by instance and first record.
struct StoredChunk {
  std::string encoding, bytes;
};
using StoredChunks = std::map<std::pair<std::string, std::uint64_t>, StoredChunk>;

}  // namespace mapflow::cli
