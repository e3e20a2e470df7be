// What a program that embeds the engine needs beside it: definitions from files, and every way to reach agents.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "engine/agent.h"
#include "model/definition.h"
#include "model/kind_schema.h"

namespace mapflow {

/// Reads and checks the definitions of a YAML or JSON file and of the files that it includes, the main one first.
/// `kinds`: Engine::kinds(), where there are kinds of the program's own.
/// Errors: not_found; invalid_input when the file cannot be read, or with every problem in it, as `mapflow validate`
/// prints them.
Result<std::vector<Definition>> read_definition_file(const std::string& path);
Result<std::vector<Definition>> read_definition_file(const std::string& path, const KindCatalog& kinds);

/// The same for a text; it may include nothing.
Result<std::vector<Definition>> read_definition_text(std::string_view text);
Result<std::vector<Definition>> read_definition_text(std::string_view text, const KindCatalog& kinds);

/// Every transport that definitions may name under `agents:`, for EngineOptions::agents.
std::shared_ptr<engine::AgentFactory> all_transports();

}  // namespace mapflow
