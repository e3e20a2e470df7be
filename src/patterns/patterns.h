// The pattern library: workflows for what comes up again and again, with agents, a test and a page each, as files to begin with.
//
// A pattern is a folder of src/patterns/library. Its pattern.json says what it is for and which parameters it has; in the other
// files `@name@` stands for a parameter. Every pattern has the parameter `id`, the workflow's id.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace mapflow::patterns {

enum class ParameterType : std::uint8_t {
  id,        ///< of a workflow
  count,     ///< a whole number from 1 to 1,000,000
  number,
  duration,
};
std::string_view to_string(ParameterType type);

struct Parameter {
  std::string name;
  ParameterType type = ParameterType::count;
  std::string standard;           ///< its value when nothing else is said
  std::string doc;
};

struct Pattern {
  std::string name;
  std::string title;
  std::string summary;            ///< a sentence
  std::vector<Parameter> parameters;  ///< `id` first
  std::vector<std::string> run;   ///< arguments of `mapflow run` under which it ends by itself
};

/// All patterns, by name.
const std::vector<Pattern>& all();
/// Errors: not_found, naming the nearest one.
Result<const Pattern*> find(std::string_view name);

using Settings = std::map<std::string, std::string, std::less<>>;

struct File {
  std::string path;               ///< relative: "agents/desk.py"
  std::string text;
};
/// The files of a project: workflow.yaml, its test, the agents, README.md. Errors: not_found; invalid_input when there is no such
/// parameter, or a setting does not fit its type.
Result<std::vector<File>> project(std::string_view pattern, const Settings& settings);

}  // namespace mapflow::patterns
