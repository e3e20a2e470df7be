// The order and the filters of Store::list, as every backend must answer them: newest first, ids break ties.
#pragma once

#include <string>
#include <string_view>

#include "persistence/store.h"

namespace mapflow::persistence {

/// The last row of a page: the next page starts right behind it.
struct ListCursor {
  Timestamp created;
  std::string id;
};

std::string format_cursor(const InstanceRow& last);
/// Errors: invalid_input.
Result<ListCursor> parse_cursor(std::string_view text);

/// Whether the row passes the filters of the query.
bool matches(const InstanceRow& row, const ListQuery& query);

}  // namespace mapflow::persistence
