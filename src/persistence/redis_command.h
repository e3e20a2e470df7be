// A command to a Redis server: its words, of any bytes.
#pragma once

#include <concepts>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace mapflow::persistence::redis {

class Script;

/// Keeps views of what it is given with view(): that must outlive it.
class Command {
 public:
  Command() = default;
  Command(std::initializer_list<std::string_view> words) {
    for (const std::string_view word : words) add(std::string(word));
  }
  /// A call of the script, all of whose keys lie on one server: they are in one hash slot, or there is but one server.
  Command(const Script& script, std::vector<std::string> keys);

  Command(Command&&) = default;
  Command& operator=(Command&&) = default;

  Command& add(std::string word) {
    owned_.push_back(std::move(word));
    words_.push_back(owned_.back());
    return *this;
  }
  Command& add(std::integral auto number) { return add(std::to_string(number)); }
  Command& view(std::string_view bytes) {
    words_.push_back(bytes);
    return *this;
  }

  std::size_t size() const { return words_.size(); }
  /// As it goes over the wire.
  void append_to(std::string& out) const;

 private:
  std::deque<std::string> owned_;  ///< its elements never move
  std::vector<std::string_view> words_;
};

}  // namespace mapflow::persistence::redis
