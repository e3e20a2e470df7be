// How much memory the program under test holds: what operator new has given out and not got back.
#pragma once

#include <cstddef>

namespace mapflow::test {

/// Starts watching; `peak()` is then the most that has been held at once beyond what is held now.
class HeapWatch {
 public:
  HeapWatch();
  std::size_t peak() const;

 private:
  std::size_t before_;
};

}  // namespace mapflow::test
