#include "agents/factory.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <string_view>

#include "agents/exec.h"
#include "agents/http.h"
#include "agents/human.h"
#include "agents/transport.h"

namespace mapflow::agents {

namespace {

struct Entry {
  std::string_view name;
  std::unique_ptr<Transport> (*make)();
};

// The one table of transports. To add one: its file beside exec.cpp, and a line here.
constexpr std::array kTransports{
    Entry{"exec", make_exec_transport},
    Entry{"http", make_http_transport},
    Entry{"human", make_human_transport},
};

class TableFactory final : public engine::AgentFactory {
 public:
  TableFactory() {
    for (std::size_t i = 0; i < kTransports.size(); ++i) made_[i] = kTransports[i].make();
  }

  Result<std::unique_ptr<engine::Agent>> make(const AgentConfig& config, const engine::AgentContext& context) override {
    for (std::size_t i = 0; i < kTransports.size(); ++i)
      if (kTransports[i].name == config.transport) return made_[i]->make(config, context);
    auto error =
        fail(code::invalid_input, fmt::format("agent '{}': unknown transport '{}'", config.name, config.transport),
             fmt::format("known: {}", fmt::join(transports(), ", ")));
    error.error().where = config.where;
    return error;
  }

  std::vector<std::string> transports() const override {
    std::vector<std::string> names;
    for (const Entry& entry : kTransports) names.emplace_back(entry.name);
    return names;
  }

 private:
  std::array<std::unique_ptr<Transport>, kTransports.size()> made_;
};

}  // namespace

std::unique_ptr<engine::AgentFactory> make_agent_factory() { return std::make_unique<TableFactory>(); }

}  // namespace mapflow::agents
