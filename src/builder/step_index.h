// Where the steps of a definition stand relative to each other, and so what can have run before what.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "model/definition.h"
#include "model/kind_schema.h"

namespace mapflow::builder {

/// What keeps a step's result from being there where it is asked for.
enum class ResultAccess : std::uint8_t {
  possible,      ///< it can be there
  itself,        ///< a step asks for its own result
  around,        ///< the step that is asked for is still running: it contains the one that asks
  later,         ///< it comes later
  beside,        ///< it is in another branch
  inside_loop,   ///< it runs many times, and its results are seen only among the steps of one time
  undoing,       ///< it runs only when the workflow is undone
};

class StepIndex {
 public:
  static constexpr std::uint32_t kNone = UINT32_MAX;

  struct Entry {
    const Step* step = nullptr;
    std::uint32_t parent = kNone;     ///< kNone: in the workflow's own block
    const Branch* branch = nullptr;   ///< of the parent, that holds it; nullptr in the workflow's own block
    bool in_hook = false;             ///< the branch is one of the parent's hooks
    bool repeated = false;            ///< the branch runs many times
    bool undoing = false;             ///< the branch compensates, or the block is `compensation_steps`
    bool certain = true;              ///< it runs whenever the workflow runs to its end
    std::uint32_t position = 0;       ///< in its block
    std::uint32_t depth = 0;
  };

  StepIndex(const Definition& definition, const KindCatalog& kinds);

  const std::vector<Entry>& entries() const { return entries_; }
  /// The entry of the first step with this id, or kNone.
  std::uint32_t find(std::string_view id) const;
  const std::vector<std::string>& ids() const { return ids_; }

  /// Whether a template of step `asking` can see the result of `asked`. `after_blocks`: the template is evaluated after
  /// blocks of the asking step ended.
  ResultAccess access(std::uint32_t asking, std::uint32_t asked, bool after_blocks) const;

  /// The step around `entry` whose repeated block holds it, or kNone: whose result to ask for instead.
  std::uint32_t loop_around(std::uint32_t entry) const;

 private:
  void add(const Block& block, std::uint32_t parent, const Branch* branch, Entry like);
  std::uint32_t ancestor(std::uint32_t entry, std::uint32_t depth) const;
  bool hidden_below(std::uint32_t entry, std::uint32_t above, bool Entry::*flag) const;

  const KindCatalog& kinds_;
  std::vector<Entry> entries_;
  std::vector<std::string> ids_;
  std::unordered_map<std::string_view, std::uint32_t> by_id_;
};

}  // namespace mapflow::builder
