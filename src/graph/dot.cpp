// Graphviz: https://graphviz.org/doc/info/lang.html
#include <fmt/format.h>

#include "graph/flow.h"
#include "graph/label.h"

namespace mapflow::graph {

namespace {

std::string quoted(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c == '\n' ? ' ' : c;
  }
  return '"' + out + '"';
}

std::string attributes(const FlowNode& node, const StepMarks* marks) {
  if (!node.step) return "[shape=circle, label=\"\", width=0.2, style=filled, fillcolor=\"#334155\"]";
  const std::string_view type = node.step->type;
  std::string label = quoted(node.step->id);
  label.pop_back();
  label += "\\n" + quoted(shortened(subtitle(*node.step), 60)).substr(1);
  const StepMark* const mark = mark_of(marks, node.step->id);
  const Colors colors = colors_of(mark ? mark->state : StepState::pending);
  return fmt::format("[label={}, shape={}, fillcolor=\"{}\", color=\"{}\"]", label, type == "conditional" ? "diamond" : type == "loop" ? "hexagon" : "box",
                     colors.fill, colors.line);
}

void frame(std::string& out, const Flow& flow, const FlowFrame& of, const StepMarks* marks, std::size_t indent) {
  const std::string blanks(indent, ' ');
  for (const std::size_t node : of.nodes) out += fmt::format("{}{} {};\n", blanks, flow.nodes[node].name, attributes(flow.nodes[node], marks));
  for (const FlowFrame& inner : of.frames) {
    out += fmt::format("{}subgraph cluster_{} {{\n{}  label={}; color=\"#cbd5e1\"; style=rounded;\n", blanks, flow.nodes[inner.nodes.front()].name, blanks, quoted(inner.step->id));
    frame(out, flow, inner, marks, indent + 2);
    out += blanks + "}\n";
  }
}

}  // namespace

std::string to_dot(const Definition& definition, const StepMarks* marks) {
  const Flow flow = flow_of(definition);
  std::string out = fmt::format("digraph {} {{\n  node [style=\"rounded,filled\", fontname=\"sans-serif\", fontsize=11];\n  edge [fontname=\"sans-serif\", fontsize=9];\n", quoted(definition.id));
  frame(out, flow, flow.whole, marks, 2);
  for (const FlowEdge& edge : flow.edges)
    out += fmt::format("  {} -> {} [label={}{}];\n", edge.from, edge.to, quoted(shortened(edge.label, 40)), edge.dashed ? ", style=dashed" : "");
  return out + "}\n";
}

}  // namespace mapflow::graph
