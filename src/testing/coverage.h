// Which steps and ways of a definition its tests went through.
//
// Counted are every step; every block (a branch, a body, a handler, a compensation); and the ways that have no block of their
// own: a `when` that said no, and a condition that did not hold where nothing says what is done then.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "model/definition.h"
#include "testing/performance.h"
#include "value/value.h"

namespace mapflow::testing {

class Coverage {
 public:
  /// Adds what there is to go through. A definition that is there already is not counted twice.
  void expect(const Definition& definition);
  void count(const std::vector<InstanceStory>& stories);

  struct Count {
    std::size_t reached = 0, all = 0;
  };
  Count steps() const { return count_of(Kind::step); }
  Count ways() const { return count_of(Kind::way); }
  /// Of steps and ways together, rounded down; 100 where there are none.
  std::uint32_t percent() const;

  struct Missed {
    Location where;
    std::string what;  ///< "step 'refund'", "pay: if_false", "notify: left out by its `when`"
  };
  /// What nobody went through, in the order of the files.
  std::vector<Missed> missed() const;
  /// {"steps": {reached, all}, "branches": {reached, all}, "percent", "missed": [{where, what}]}
  Value to_value() const;

 private:
  enum class Kind : std::uint8_t { step, way };
  struct Unit {
    Kind kind = Kind::step;
    std::string what;
    Location where;
    std::uint64_t times = 0;
  };
  Count count_of(Kind kind) const;
  void expect_block(const std::string& workflow, const Block& block);
  void expect_branch(const std::string& workflow, const Step& owner, const Branch& branch);
  void add(const std::string& key, Unit unit);
  void reach(const std::string& key);

  std::vector<Unit> units_;
  std::map<std::string, std::size_t, std::less<>> by_key_;
};

}  // namespace mapflow::testing
