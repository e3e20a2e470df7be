// How steps and states look, whatever draws them.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "graph/graph.h"
#include "model/definition.h"

namespace mapflow::graph {

struct Colors {
  std::string_view fill, line;
};
Colors colors_of(StepState state);

/// The second line of a step: "message → inventory.reserve", "wait 5m", "for each order in orders".
std::string subtitle(const Step& step);
/// What a block of a step is called: its name, its condition, or "then", "else", "each" …
std::string branch_title(const Branch& branch);
/// A text of at most so many characters, with an ellipsis where it was cut.
std::string shortened(std::string_view text, std::size_t most);
/// `text` with the characters that mean something to XML written out.
std::string xml_text(std::string_view text);
/// The mark of a step; nullptr when there is none.
const StepMark* mark_of(const StepMarks* marks, std::string_view step);

}  // namespace mapflow::graph
