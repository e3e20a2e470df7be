// Mermaid flowcharts: https://mermaid.js.org/syntax/flowchart.html
#include <fmt/format.h>

#include <array>
#include <set>

#include "graph/flow.h"
#include "graph/label.h"

namespace mapflow::graph {

namespace {

std::string quoted(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '"') out += "#quot;";
    else if (c == '#') out += "#35;";
    else if (c == '\n') out += ' ';
    else out += c;
  }
  return '"' + out + '"';
}

std::string shape(const Flow& flow, const FlowNode& node) {
  if (!node.step) return &node == &flow.nodes.front() ? "((start))" : "((end))";
  const std::string label = quoted(fmt::format("{}<br/>{}", node.step->id, xml_text(shortened(subtitle(*node.step), 60))));
  if (node.step->type == "conditional") return "{" + label + "}";
  if (node.step->type == "loop") return "{{" + label + "}}";
  if (node.step->type == "wait") return "([" + label + "])";
  if (node.step->type == "subworkflow") return "[[" + label + "]]";
  return "[" + label + "]";
}

void frame(std::string& out, const Flow& flow, const FlowFrame& of, std::size_t indent) {
  const std::string blanks(indent, ' ');
  for (const std::size_t node : of.nodes) out += blanks + flow.nodes[node].name + shape(flow, flow.nodes[node]) + "\n";
  for (const FlowFrame& inner : of.frames) {
    out += fmt::format("{}subgraph {}f[{}]\n", blanks, flow.nodes[inner.nodes.front()].name, quoted(inner.step->id));
    frame(out, flow, inner, indent + 2);
    out += blanks + "end\n";
  }
}

}  // namespace

std::string to_mermaid(const Definition& definition, const StepMarks* marks) {
  const Flow flow = flow_of(definition);
  std::string out = "flowchart TD\n";
  frame(out, flow, flow.whole, 2);
  for (const FlowEdge& edge : flow.edges) {
    const std::string label = edge.label.empty() ? std::string() : "|" + quoted(shortened(edge.label, 40)) + "|";
    out += fmt::format("  {} {}{} {}\n", edge.from, edge.dashed ? "-.->" : "-->", label, edge.to);
  }
  std::set<StepState> used;
  for (const FlowNode& node : flow.nodes) {
    if (!node.step) continue;
    const StepMark* const mark = mark_of(marks, node.step->id);
    if (!mark) continue;
    used.insert(mark->state);
    out += fmt::format("  class {} {}\n", node.name, to_string(mark->state));
  }
  for (const StepState state : used)
    out += fmt::format("  classDef {} fill:{},stroke:{}\n", to_string(state), colors_of(state).fill, colors_of(state).line);
  return out;
}

}  // namespace mapflow::graph
