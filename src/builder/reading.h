// What the parts of the reader share: the document being read, where it came from, and the problems found so far.
#pragma once

#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "builder/codes.h"
#include "builder/document.h"
#include "builder/shorthand.h"
#include "model/definition.h"
#include "model/diagnostic.h"
#include "model/kind_schema.h"

namespace mapflow::builder {

class Reading {
 public:
  Reading(Document& document, const KindCatalog& kinds, Diagnostics& found)
      : document_(document), kinds_(kinds), found_(found), file_(document.file) {}

  Document& document() { return document_; }
  const KindCatalog& kinds() const { return kinds_; }
  const std::string& file() const { return file_; }
  void set_file(std::string file) { file_ = std::move(file); }

  Location at(Mark mark) const { return {file_, mark.line, mark.column}; }
  void error(std::string_view code, Mark mark, std::string message, std::string hint = {});
  /// "unknown key 'colour' in retry" with the nearest of `known`.
  void unknown_key(Node member, std::string_view where, std::span<const std::string_view> known);

  // Each reads a node as one type. A wrong one is reported, as "'what' must be …", and gives nothing.
  std::optional<std::string> text(Node node, std::string_view what);      ///< numbers count as they are written
  std::optional<std::string> expression(Node node, std::string_view what, Mark* start = nullptr);
  std::optional<bool> boolean(Node node, std::string_view what);
  std::optional<std::int64_t> integer(Node node, std::string_view what, std::int64_t least, std::int64_t most);
  std::optional<double> number(Node node, std::string_view what, double least, double most);
  std::optional<Duration> duration(Node node, std::string_view what);
  std::vector<std::string> texts(Node node, std::string_view what);       ///< a list, or one text
  std::optional<std::size_t> choice(Node node, std::string_view what, std::span<const std::string_view> choices);
  bool expect_map(Node node, std::string_view what);

  /// The value of a field with its shorthands expanded. Notes the places of the field, of its members, and of every
  /// text with a template in it.
  Value value(Node node, const std::string& path, TextMode mode, Places& places);

  void note(Places& places, const std::string& path, Mark mark) const;
  /// Notes the place of a text, and its layout when that is not in one line.
  void note_text(Places& places, const std::string& path, Node text, Mark begin) const;

 private:
  void wrong_type(Node node, std::string_view what, std::string_view wanted);

  Document& document_;
  const KindCatalog& kinds_;
  Diagnostics& found_;
  std::string file_;
};

/// Where in the file a place inside a text is: `inside` counts lines and columns of the text from 1. Texts that do not
/// lie in one line have their layout noted beside their place (Reading::note_text), which is looked up in `places`.
Location place_in_text(const Places& places, std::string_view path, const Location& origin, const Location& inside);

/// Every key that the head of a workflow may have. Those of steps are step_keys (reader.h).
std::span<const std::string_view> workflow_keys();

Block read_block(Reading& reading, Node node, std::string_view what);
Step read_step(Reading& reading, Node node);
std::optional<RetryPolicy> read_retry(Reading& reading, Node node);
Budget read_budget(Reading& reading, Node node);
std::optional<StepBudget> read_step_budget(Reading& reading, Node node);
std::optional<Concurrency> read_concurrency(Reading& reading, Node node, Places& places);
AgentConfig read_agent(Reading& reading, Node node, Places& places);
/// nullopt when the document is no workflow at all (reported).
std::optional<Definition> read_workflow(Reading& reading, Node root);
/// Gives every step without an id one from its kind and its number among the steps of that kind: "message_2".
void name_steps(Definition& definition);

/// The ancestor's spellings in a workflow or a step, translated in place (ancestor.cpp).
void translate_workflow(Reading& reading, Node workflow);
void translate_step(Reading& reading, Node step);

}  // namespace mapflow::builder
