// What stands behind the Engine: one member of a store on real threads, and the way of a request to whoever runs the
// instance it is about.
//
//   request ─> the shard here that should run it ─ not_owner, elsewhere, not_found ─> look into the store:
//                                                      over?            answer from its row
//                                                      another partition?  ask that one's shard
//                                                      another node's?  leave a command in its inbox
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "engine/engine.h"
#include "engine/event_bus.h"
#include "engine/member.h"
#include "engine/run_listeners.h"
#include "engine/thread_executor.h"

namespace mapflow::engine {

class Node {
 public:
  explicit Node(EngineOptions options);
  ~Node();
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  using ValueAnswer = std::function<void(Result<Value>)>;

  Status status() const;
  void handler(std::string name, Handler function, HandlerMode mode) {
    add_handler(std::move(name), RegisteredHandler{std::move(function), mode});
  }
  void coroutine(std::string name, AsyncHandler function) {
    add_handler(std::move(name), RegisteredHandler{{}, HandlerMode::pooled, std::move(function)});
  }
  Status retry_policy(std::string name, RetryFunction function);
  Status add_kind(std::unique_ptr<const kernel::StepKind> kind);
  const kernel::KindRegistry& kinds() const { return *kinds_; }
  Result<std::string> add(Definition definition);
  void on_event(EventHandler handler);
  void on_event_of(const std::string& id, RunListeners::Listener listener);
  persistence::Store& store() { return *store_; }
  Load load() const;

  /// Starts the threads and the member, once.
  Status begin();

  struct Started {
    std::string id;
    bool existed = false;
  };
  void start(std::string_view workflow, StartOptions options, std::function<void(Result<Started>)> answered);
  /// Starts another instance of the same definition with the same input. Errors: also those of read_instance.
  void rerun(const std::string& id, std::string new_id, std::function<void(Result<Started>)> answered);
  Status attach(const std::string& id);
  /// Carries out a request and waits until it is durable.
  Status tell(const std::string& id, Demand demand);
  Result<Value> document(const std::string& id);
  /// Calls `ended` once with the outcome of the instance.
  void watch(const std::string& id, ValueAnswer ended);
  Result<Value> wait(const std::string& id, std::optional<Duration> limit);

 private:
  /// What wait() waits for; shared by all who wait for one instance.
  struct Awaited {
    std::mutex mutex;
    std::condition_variable changed;
    std::optional<Result<Value>> outcome;
  };
  /// A request on its way, for as many tries as it takes.
  struct Errand {
    std::string id;
    Demand demand;
    ValueAnswer answer;
    persistence::Partition partition;  ///< whose shard is asked
    bool moved = false;                ///< the row has said which partition it is
    bool taken = false;                ///< its lease was taken for this
  };
  using ErrandPtr = std::shared_ptr<Errand>;

  void add_handler(std::string name, RegisteredHandler handler);
  Status start_threads();
  void start(StartDemand demand, std::function<void(Result<Started>)> answered);
  persistence::Partition home(std::string_view id) const;
  void ask(ErrandPtr errand);
  void look_up(ErrandPtr errand, Error refused);
  void ask_store(ErrandPtr errand, const std::optional<persistence::InstanceRow>& row);
  void bring_back(ErrandPtr errand);
  void start_elsewhere(ErrandPtr errand);
  void leave_command(ErrandPtr errand);
  void ask_later(ErrandPtr errand);
  Result<Value> call(const std::string& id, Demand demand);

  EngineOptions options_;
  Status status_;
  std::shared_ptr<persistence::Store> store_;
  std::unique_ptr<kernel::KindRegistry> kinds_;
  std::shared_ptr<ProgramCache> programs_;
  std::shared_ptr<HandlerTable> handlers_ = std::make_shared<HandlerTable>();
  std::shared_ptr<SystemClock> clock_ = std::make_shared<SystemClock>();
  std::shared_ptr<SystemRandom> random_ = std::make_shared<SystemRandom>();
  std::shared_ptr<EventBus> events_ = std::make_shared<EventBus>(options_.log);
  std::shared_ptr<RunListeners> run_listeners_ = std::make_shared<RunListeners>();
  std::once_flag run_listeners_subscribed_;

  mutable std::mutex begin_mutex_;
  bool begun_ = false;
  std::shared_ptr<ThreadExecutor> control_;
  std::vector<std::shared_ptr<ThreadExecutor>> executors_;
  std::shared_ptr<WorkerPool> workers_;
  std::unique_ptr<Member> member_;
  std::atomic<bool> has_member_ = false;  ///< for load(), which must not wait until begin() is through
  std::shared_ptr<void> inbox_hints_;  ///< as long as it lives, the store tells of posted commands
  persistence::Partition own_;

  std::mutex awaited_mutex_;
  std::unordered_map<std::string, std::shared_ptr<Awaited>> awaited_;
};

}  // namespace mapflow::engine
