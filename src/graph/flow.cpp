#include "graph/flow.h"

#include <algorithm>

#include "graph/label.h"

namespace mapflow::graph {

namespace {

/// Where arrows leave from, and what is written on them.
struct Exit {
  std::string node, label;
};
using Exits = std::vector<Exit>;

class FlowMaker {
 public:
  Flow run(const Definition& definition) {
    const std::string start = add(nullptr, flow_.whole);
    const Exits ends = block(definition.steps, {{start, ""}}, flow_.whole, false);
    connect(ends, add(nullptr, flow_.whole), false);
    if (!definition.compensation_steps.empty()) {
      const std::string undo = add(nullptr, flow_.whole);
      block(definition.compensation_steps, {{undo, ""}}, flow_.whole, true);
    }
    return std::move(flow_);
  }

 private:
  std::string add(const Step* step, FlowFrame& frame) {
    flow_.nodes.push_back({"n" + std::to_string(flow_.nodes.size() + 1), step});
    frame.nodes.push_back(flow_.nodes.size() - 1);
    return flow_.nodes.back().name;
  }

  void connect(const Exits& from, const std::string& to, bool dashed) {
    for (const Exit& exit : from) flow_.edges.push_back({exit.node, to, exit.label, dashed});
  }

  /// Steps one after the other; gives where the last one is left.
  Exits block(const Block& steps, Exits from, FlowFrame& frame, bool dashed) {
    for (const Step& each : steps) from = step(each, from, frame, dashed);
    return from;
  }

  Exits step(const Step& step, const Exits& from, FlowFrame& around, bool dashed) {
    FlowFrame own{&step, {}, {}};
    const bool framed = !step.branches.empty() || !step.hooks.empty();
    FlowFrame& frame = framed ? own : around;
    const std::string node = add(&step, frame);
    connect(from, node, dashed);

    Exits exits;
    bool goes_around = step.branches.empty();
    const bool repeats = step.type == "loop", chooses = step.type == "conditional";
    for (const Branch& branch : step.branches) {
      Exits ends = block(branch.steps, {{node, branch_title(branch)}}, frame, false);
      if (repeats) connect(ends, node, true);
      else std::ranges::move(ends, std::back_inserter(exits));
    }
    if (repeats) goes_around = true;
    if (chooses) goes_around = std::ranges::none_of(step.branches, [](const Branch& each) { return each.role == "if_false" || each.role == "otherwise"; });
    if (goes_around) exits.push_back({node, chooses ? "else" : ""});
    for (const Branch& hook : step.hooks) {
      Exits ends = block(hook.steps, {{node, branch_title(hook)}}, frame, true);
      if (hook.role == "on_error" || hook.role == "fallback") std::ranges::move(ends, std::back_inserter(exits));
    }
    if (framed) around.frames.push_back(std::move(own));
    return exits;
  }

  Flow flow_;
};

}  // namespace

Flow flow_of(const Definition& definition) { return FlowMaker().run(definition); }

}  // namespace mapflow::graph
