// Pictures of workflows, looked at as texts.
#include "graph/graph.h"

#include <doctest/doctest.h>

#include <string>

using namespace mapflow;

namespace {

Step step(std::string id, std::string type, Value fields = {}) {
  Step out;
  out.id = std::move(id);
  out.type = std::move(type);
  out.fields = std::move(fields);
  return out;
}

Branch branch(std::string role, Block steps, std::string name = {}) {
  Branch out;
  out.role = std::move(role);
  out.name = std::move(name);
  out.steps = std::move(steps);
  return out;
}

Definition orders() {
  Definition out;
  out.id = "orders";
  out.name = "Orders <& more>";
  Step check = step("check", "message", object({{"destination", "stock"}, {"action", "reserve \"it\""}}));
  check.hooks.push_back(branch("compensate", {step("release", "message", object({{"destination", "stock"}}))}));
  Step pay = step("pay", "conditional", object({{"condition", "total > 3"}}));
  pay.branches.push_back(branch("if_true", {step("charge", "message", object({{"destination", "bank"}}))}));
  Step fan = step("fan", "parallel");
  fan.branches.push_back(branch("steps", {step("pack", "custom", object({{"handler", "pack"}}))}, "left"));
  fan.branches.push_back(branch("steps", {step("label", "wait", object({{"duration", "5m"}}))}, "right"));
  Step each = step("each", "loop", object({{"items", "lines"}}));
  each.branches.push_back(branch("body", {step("line", "transform")}));
  out.steps = {check, pay, fan, each};
  return out;
}

std::size_t count(std::string_view text, std::string_view part) {
  std::size_t found = 0;
  for (auto at = text.find(part); at != std::string_view::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

}  // namespace

TEST_CASE("Mermaid: every step is a node, branches and loops are arrows") {
  const std::string text = graph::to_mermaid(orders());
  CHECK(text.starts_with("flowchart TD\n"));
  for (const char* part : {"n1((start))", "n2[\"check<br/>message → stock.reserve &quot;it", "-->|\"then\"|", "-->|\"else\"|", "-->|\"left\"|", "subgraph n4f[\"pay\"]", "-.->|\"compensate\"|"})
    CHECK_MESSAGE(text.find(part) != std::string::npos, part << "\n" << text);
  CHECK(text.find("classDef") == std::string::npos);
}

TEST_CASE("DOT: frames are clusters, texts are quoted") {
  const std::string text = graph::to_dot(orders());
  CHECK(text.starts_with("digraph \"orders\" {"));
  CHECK(text.find("reserve \\\"it\\\"") != std::string::npos);
  CHECK(count(text, "subgraph cluster_") == 4);
  CHECK(count(text, "{") == count(text, "}"));
}

TEST_CASE("SVG: every step is drawn, and texts of a definition cannot leave their place") {
  const std::string text = graph::to_svg(orders());
  for (const char* id : {"check", "release", "pay", "charge", "fan", "pack", "label", "each", "line"}) CHECK_MESSAGE(text.find(std::string(">") + id + "<") != std::string::npos, id);
  CHECK(text.find("Orders &lt;&amp; more&gt;") != std::string::npos);
  CHECK(text.find("<&") == std::string::npos);
  CHECK(count(text, "<g>") == count(text, "</g>"));
}

TEST_CASE("an instance's steps have the colours of their states; in loops the most telling one") {
  graph::StepMarks marks;
  graph::add_mark(marks, "check", StepState::completed);
  for (const StepState state : {StepState::completed, StepState::failed, StepState::completed}) graph::add_mark(marks, "line", state);
  CHECK(marks.at("line").state == StepState::failed);
  CHECK(marks.at("line").runs == 3);
  CHECK(graph::to_mermaid(orders(), &marks).find("class n2 completed") != std::string::npos);
  const std::string svg = graph::to_svg(orders(), &marks);
  CHECK(svg.find("×3") != std::string::npos);
  CHECK(svg.find("(failed)") != std::string::npos);
}
