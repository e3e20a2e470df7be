// A definition as nodes and arrows, for languages that take those.
#pragma once

#include <string>
#include <vector>

#include "graph/graph.h"
#include "model/definition.h"

namespace mapflow::graph {

struct FlowNode {
  std::string name;            ///< "n1": unique, and plain in every language
  const Step* step = nullptr;  ///< nullptr: the start or the end
};

struct FlowEdge {
  std::string from, to, label;
  bool dashed = false;         ///< to and from handlers, compensations and the like
};

/// A step with steps in it: they are drawn in a frame.
struct FlowFrame {
  const Step* step = nullptr;
  std::vector<std::size_t> nodes;     ///< positions in Flow::nodes, the step's own first
  std::vector<FlowFrame> frames;
};

struct Flow {
  std::vector<FlowNode> nodes;
  std::vector<FlowEdge> edges;
  FlowFrame whole;
};

Flow flow_of(const Definition& definition);

}  // namespace mapflow::graph
