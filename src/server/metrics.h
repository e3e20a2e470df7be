// Everything a node counts, in one place: from the events of the instances it runs, from what it asks of the store, and
// from what it says of itself when it is asked.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "base/time.h"
#include "engine/load.h"
#include "kernel/history.h"
#include "persistence/store.h"
#include "server/prometheus.h"

namespace mapflow::server {

/// Thread safety: every call may come from any thread.
class Metrics {
 public:
  Metrics();

  void take(const std::string& instance, const kernel::Event& event);
  void committed(Duration took, std::size_t records, bool good);
  void lease_taken();

  /// In the text format of Prometheus. `load`: of the node, now.
  std::string text(const engine::Load& load) const;

 private:
  void take_step(const std::string& instance, const kernel::Event& event, const std::string& what);
  void take_call(const std::string& instance, const kernel::Event& event);
  void take_use(const std::string& instance, const kernel::Event& event);
  void end_call(const std::string& instance, const kernel::Event& event, const std::string& outcome, bool again);

  mutable std::mutex mutex_;
  Family workflows_, workflow_seconds_, steps_, step_seconds_, retries_, compensations_, requests_, tokens_, circuits_, limited_;
  Family commit_seconds_, batch_records_, commit_failures_, leases_, recovery_, dropped_;
  std::map<std::pair<std::string, std::string>, std::string> calls_;  ///< agent by instance and path, while it is asked
};

/// The store, with what is asked of it counted.
std::shared_ptr<persistence::Store> metered(std::shared_ptr<persistence::Store> store, std::shared_ptr<Metrics> metrics);

}  // namespace mapflow::server
