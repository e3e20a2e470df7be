#include "agents/human.h"

namespace mapflow::agents {

namespace {

/// Nothing is sent: the open call itself, durable in its instance, is the entry in the inbox.
class Human final : public engine::Agent {
 public:
  void call(Envelope, engine::AgentDone done) override {
    Reply later;
    later.pending = true;
    done(std::move(later));
  }
  void cancel(std::string_view) override {}
};

class HumanTransport final : public Transport {
 public:
  Result<std::unique_ptr<engine::Agent>> make(const AgentConfig&, const engine::AgentContext&) override {
    return std::make_unique<Human>();
  }
};

}  // namespace

std::unique_ptr<Transport> make_human_transport() { return std::make_unique<HumanTransport>(); }

}  // namespace mapflow::agents
