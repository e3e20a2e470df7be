// The tables of the PostgreSQL store, in a schema of their own, and how a database gets them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "persistence/postgres_connection.h"

namespace mapflow::persistence::postgres {

/// The schema's name, and statements that name its tables: "@" in a statement stands for the schema, as in "@.log".
class Schema {
 public:
  explicit Schema(std::string name);
  std::string sql(std::string_view statement) const;
  const std::string& name() const { return name_; }

 private:
  std::string name_, quoted_;
};

/// What the server promises about acknowledged writes, and what the store found in the schema.
struct Opened {
  std::uint32_t shared_partitions = 0;
  std::string risk;  ///< see Store::durability_risk
};

/// Makes the schema one of this program: checks what it is before it changes anything, then applies the migrations it
/// lacks in one transaction. Several processes may do so at once. A schema that is up to date is only read, so an
/// ordinary role need not be allowed to create anything. Errors: invalid_state (a newer schema, or one of another
/// program, or a database that is not in UTF-8), unavailable.
Result<Opened> prepare_schema(Connection& db, const Schema& schema, std::uint32_t shared_partitions);

}  // namespace mapflow::persistence::postgres
