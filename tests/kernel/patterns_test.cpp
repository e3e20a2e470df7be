// The definitions in examples/patterns, which use every kind, hold through crashes: what they come to is told by the files
// themselves and checked elsewhere (tests/docs); here it must be the same when the engine dies after every decision.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "builder/reader.h"
#include "kernel/driver.h"
#include "value/json.h"

using namespace mapflow;
using namespace mapflow::testing;

namespace {

struct Case {
  Value input = Value(Object{});
  std::vector<kernel::Signal> signals;
};

/// Reads `# run: -i name=value …` and `# do: signal name value`; nullopt for what needs more than that.
std::optional<std::vector<Case>> cases_of(const std::string& text) {
  std::vector<Case> cases;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("# after") || line.find("subworkflow") != std::string::npos || line.starts_with("agents:")) return std::nullopt;
    if (line.starts_with("# run:")) {
      cases.emplace_back();
      for (std::size_t at = line.find("-i "); at != std::string::npos; at = line.find("-i ", at + 3)) {
        const bool quoted = line[at + 3] == '\'';
        const std::size_t begin = at + (quoted ? 4 : 3), equals = line.find('=', begin);
        const std::string word = line.substr(equals + 1, line.find(quoted ? '\'' : ' ', equals) - equals - 1);
        auto value = parse_json(word);
        cases.back().input.set(Text(line.substr(begin, equals - begin)), value ? *value : Value(word));
      }
    } else if (line.starts_with("# do: signal ")) {
      if (cases.empty()) cases.emplace_back();
      std::istringstream words(line.substr(13));
      std::string name, payload;
      words >> name;
      std::getline(words, payload);
      cases.back().signals.push_back({name, payload.empty() ? Value() : *parse_json(payload)});
    }
  }
  if (cases.empty()) cases.emplace_back();
  return cases;
}

/// What it came to: the state, the variables and the results.
Value play(const Definition& definition, const Case& given, bool crashing) {
  Driver driver(definition);
  driver.limits.records = crashing ? 3 : 4096;  // many decisions, so many moments to die in
  driver.start(given.input);
  for (const kernel::Signal& signal : given.signals) driver.give(signal);
  for (int i = 0; i < 2000 && !is_terminal(driver.state_name()); ++i) {
    if (crashing) driver.crash();
    if (is_terminal(driver.state_name())) break;
    REQUIRE(driver.state.wake_at() != kNever);
    driver.now = std::max(driver.now, driver.state.wake_at());
    driver.give(kernel::Tick{});
  }
  return object({{"state", to_string(driver.state_name())}, {"variables", driver.state.variables}, {"results", driver.state.results}});
}

}  // namespace

TEST_CASE("each pattern comes to the same end when the engine dies after every decision") {
  const auto kinds = steps::make_registry();
  int played = 0;
  for (const auto& entry : std::filesystem::directory_iterator(std::string(MAPFLOW_SOURCE_DIR) + "/examples/patterns")) {
    const std::string path = entry.path().string();
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    const auto cases = cases_of(text.str());
    if (!cases) continue;
    const auto read = builder::read_definitions(text.str(), path, *kinds);
    REQUIRE(!has_errors(read.diagnostics));
    for (const Case& each : *cases) {
      CAPTURE(path);
      const Value calm = play(read.definitions.front(), each, false), crashed = play(read.definitions.front(), each, true);
      INFO(to_json(calm) << "\n" << to_json(crashed));
      CHECK(*calm.find("state") == Value("completed"));
      CHECK(calm == crashed);
      ++played;
    }
  }
  CHECK(played >= 35);
}
