// The steps of a running instance as a tree, built from its events and drawn as lines for a terminal.
//
//   ✓ inventory       message    0.4s
//   ● analysts        loop       2.1s   17 done
//     ● [17] review   message    0.3s
//     ↻ [18] review   message           attempt 2 in 1.4s: timeout: no answer
//   · report          message
//
// It knows no clock and no terminal: both are arguments. Memory stays bounded: of many settled steps under one parent
// only the last few are kept, the rest is counted.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "cli/console.h"
#include "kernel/history.h"
#include "model/definition.h"
#include "model/state.h"

namespace mapflow::cli {

/// Room to draw in, and when.
struct Canvas {
  Timestamp now;
  std::size_t columns = 80;
  std::size_t rows = 24;
  bool unicode = true;
};

class StepTree {
 public:
  /// How many settled steps under one parent are drawn one by one.
  static constexpr std::size_t kSettledShown = 6;

  StepTree();
  ~StepTree();
  StepTree(StepTree&&) noexcept;

  /// The steps that are still to come.
  void expect(const Definition& definition);
  /// The steps of an instance's document: what happened before anybody looked.
  void load(const Value& document);
  void apply(const kernel::Event& event);

  /// At most canvas.rows lines, none wider than canvas.columns. Where there are too many steps, settled ones go first.
  std::vector<std::string> draw(const Canvas& canvas, const Stream& stream) const;

 private:
  struct Node;
  struct Line;
  Node& node(std::string_view path);
  void settle(Node& node);
  void count_settled(Node& parent, std::size_t shown);
  void forget(Node& node);
  void collect(const Node& parent, std::size_t depth, std::vector<Line>& lines) const;

  std::unique_ptr<Node> root_;
  std::map<std::string, Node*, std::less<>> by_path_;
};

}  // namespace mapflow::cli
