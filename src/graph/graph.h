// Pictures of workflows: of a definition, or of an instance with its steps coloured by their states.
//
// Mermaid and DOT are texts for other programs to draw; the SVG is drawn here and needs nothing else.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "model/definition.h"
#include "model/state.h"

namespace mapflow::graph {

/// What a step has come to in one instance.
struct StepMark {
  StepState state = StepState::pending;
  std::uint32_t runs = 1;  ///< more than one in loops; the state is the most telling of all
};
/// By step id. Steps that are not in it have not begun.
using StepMarks = std::map<std::string, StepMark, std::less<>>;

/// Adds one run of a step: what goes on or went wrong hides what went well.
void add_mark(StepMarks& marks, const std::string& step, StepState state);

// Without `marks` (nullptr) the picture is of the definition alone.
std::string to_mermaid(const Definition& definition, const StepMarks* marks = nullptr);
std::string to_dot(const Definition& definition, const StepMarks* marks = nullptr);
std::string to_svg(const Definition& definition, const StepMarks* marks = nullptr);

}  // namespace mapflow::graph
