// Reads a transport's settings object, and says what is wrong with it in the words of the definition.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "model/definition.h"

namespace mapflow::agents {

/// Every reader returns something usable and remembers the first fault; `finish` reports it. So a transport reads all
/// its settings in a row and checks once.
class Settings {
 public:
  using Texts = std::vector<std::string>;
  using Pairs = std::vector<std::pair<std::string, std::string>>;

  explicit Settings(const AgentConfig& config);

  std::string required_text(std::string_view key);
  std::string text(std::string_view key, std::string_view fallback);
  /// A list of at least one text.
  Texts required_texts(std::string_view key);
  /// An object whose members are texts, in their order; empty when left out.
  Pairs text_pairs(std::string_view key);
  /// Remembers a fault in `key` that the transport itself found: "agent 'a': http.url <problem>".
  void fault(std::string_view key, std::string_view problem, std::string hint = {});

  /// Errors: invalid_input for the first fault, or for a member that nobody read.
  Status finish();

 private:
  const Value* find(std::string_view key);

  const AgentConfig& config_;
  std::set<std::string, std::less<>> known_;
  Status status_;
};

}  // namespace mapflow::agents
