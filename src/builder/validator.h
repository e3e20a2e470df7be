// What is wrong with definitions, found before anything runs: all problems at once, each at its place.
//
// Works on definitions however they were made; the reader's own findings (unknown keys, broken YAML) are not repeated
// by it, findings about shape are (sort_diagnostics in render.h drops the repetitions).
#pragma once

#include <span>
#include <string>
#include <vector>

#include "jinja/jinja.h"
#include "model/definition.h"
#include "model/diagnostic.h"
#include "model/kind_schema.h"

namespace mapflow::builder {

/// What lies outside the definitions. All of it may be left out.
struct Surroundings {
  std::vector<std::string> agents = {};     ///< names of the agents that the engine is configured with
  std::vector<std::string> workflows = {};  ///< ids of the workflows that the engine knows already
  bool agents_known = false;                ///< `agents` are all there are: see MF0309
  /// Compiles the templates, with the host's own filters and functions. nullptr: an environment with the workflow
  /// filters, strict and data-first.
  const jinja::Environment* templates = nullptr;
};

/// Checks definitions that will be run together: each by itself, and how they call each other.
///
/// Unknown agents are errors only where some agents are declared, in the definition or around it: a program may have handlers
/// of their names. A variable that
/// nothing declares is an error where variables_schema allows no others, a warning where it has properties, and
/// else only worth a warning when it looks like a slip of a declared name.
Diagnostics validate(std::span<const Definition> definitions, const KindCatalog& kinds, const Surroundings& around = {});

}  // namespace mapflow::builder
