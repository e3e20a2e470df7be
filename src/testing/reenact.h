// Replaying a journal against a definition: a program is told what an instance was told, at the times it was told so, and
// what it makes of that is compared with what the instance made of it.
//
// With the instance's own definition this shows whether the engine still decides as it did. With a changed one it shows
// from where on an instance that began under the old one would have gone another way.
//
// A journal keeps facts, not what caused them. So what the instance was told is read from the facts that follow: a result
// says what the agent answered, a timer that fired says that time passed. (testing/causes.h)
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>

#include "base/error.h"
#include "kernel/history.h"
#include "kernel/input.h"
#include "kernel/program.h"
#include "kernel/record.h"

namespace mapflow::testing {

/// The first record that is another one.
struct Difference {
  std::uint64_t seq = 0;
  Timestamp at{};
  std::string told;                       ///< what the instance was told just before, for people
  std::optional<kernel::Event> recorded;  ///< nullopt: the journal ends here
  std::optional<kernel::Event> now;       ///< nullopt: nothing more is done
};

struct Reenactment {
  std::uint64_t records = 0;              ///< that came out as recorded
  std::optional<Difference> difference;
};

/// How a child instance ended (engine::read_child_end). An error: nobody knows.
using FindChild = std::function<Result<kernel::ChildEnded>(const std::string& id)>;

/// `records` are all of an instance's, from its start; `recorded` is the program they were made with, `now` the one to
/// compare. Records are the same when they tell people the same: the numbers that steps have inside a program may differ,
/// and so may its version. An instance that lived by its parents' budgets too is replayed without them.
/// Errors: not_found when nobody knows how a child ended, on which it depends what comes next.
/// Pure, and costs about what running the instance again costs, without the calls.
Result<Reenactment> reenact(const kernel::Program& recorded, const kernel::Program& now, std::span<const kernel::Record> records,
                    const FindChild& find_child);

}  // namespace mapflow::testing
