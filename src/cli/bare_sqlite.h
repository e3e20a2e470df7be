// What SQLite itself can do on this machine: bare calls of its library, no engine and no store around them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"
#include "cli/recording_store.h"

namespace mapflow::cli {

/// While it lives, counts the transactions that any connection of this process, opened since, commits.
/// At most one lives at a time.
class TransactionCounter {
 public:
  TransactionCounter();
  ~TransactionCounter();
  TransactionCounter(const TransactionCounter&) = delete;
  TransactionCounter& operator=(const TransactionCounter&) = delete;
  std::uint64_t count() const;
};

struct BareFigures {
  double seconds = 0;
  std::uint64_t transactions = 0;
  std::uint64_t bytes = 0;  ///< of values bound to statements
};

/// Writes the transactions, one after the other and each durable before the next, into the tables of the store in the
/// file `empty_store`. History is written as `written_store` holds it (compressed or not). Errors: unavailable.
Result<BareFigures> write_bare(const std::vector<RecordedTransaction>& transactions, const std::string& empty_store,
                               const std::string& written_store);

}  // namespace mapflow::cli
