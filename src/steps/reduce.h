// What an aggregate step can make of a list of values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "value/value.h"

namespace mapflow::steps {

using Values = std::vector<Value>;

/// The reductions that need nothing but the values: `list merge deep_merge sum avg min max count concat first last
/// median unique flatten`. Of no values: 0 for sum and count, [] for list, unique and flatten, {} for merges, else null.
/// Errors: invalid_input for values that the reduction cannot work on; not_found when there is no such reduction.
Result<Value> reduce(std::string_view reduction, const Values& values);

/// {winner, count, total, tie, tied}: the value named most often. On a tie `winner` is null, or with `first_wins` the
/// one of them that was named first. Equal means equal as JSON.
Value vote(const Values& values, bool first_wins);

/// The value on which at least `needed` agree; of several, the one that most agree on. Errors: no_quorum, with the
/// count of every answer in its details.
Result<Value> quorum(const Values& values, std::size_t needed);

/// The place of the value whose score is highest; the first of equals. Errors: invalid_input for scores that cannot be
/// compared.
Result<std::optional<std::size_t>> best(const Values& scores);

}  // namespace mapflow::steps
