#include "agents/in_process.h"

#include <fmt/format.h>

#include <exception>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "agents/reply.h"

namespace mapflow::agents {

namespace {

struct PendingCall {
  std::string id;
  Envelope envelope;
  engine::AgentDone done;
  std::stop_source stop;
  bool running = false;
};

/// Shared by the agent and its tasks, which may outlive it.
class Calls {
 public:
  Calls(std::string name, Handler handler) : name_(std::move(name)), handler_(std::move(handler)) {}

  std::uint64_t add(Envelope envelope, engine::AgentDone done) {
    const std::scoped_lock lock(mutex_);
    auto call = std::make_shared<PendingCall>();
    call->id = envelope.id;
    call->envelope = std::move(envelope);
    call->done = std::move(done);
    pending_.emplace(++last_, std::move(call));
    return last_;
  }

  void run(std::uint64_t number) {
    std::shared_ptr<PendingCall> call;
    {
      const std::scoped_lock lock(mutex_);
      const auto found = pending_.find(number);
      if (found == pending_.end()) return;  // cancelled before its turn
      call = found->second;
      call->running = true;
    }
    auto answer = handle(*call);
    // Whoever takes the call out of the table answers it; its destroyer may have been faster.
    if (take(number)) call->done(std::move(answer));
  }

  /// Answers a call whose task will never run.
  void refuse(std::uint64_t number) {
    std::shared_ptr<PendingCall> call;
    {
      const std::scoped_lock lock(mutex_);
      const auto found = pending_.find(number);
      if (found == pending_.end() || found->second->running) return;
      call = std::move(found->second);
      pending_.erase(found);
    }
    call->done(fail(code::unavailable, fmt::format("handler '{}' has no free thread to run on", name_)));
  }

  void cancel(std::string_view id) {
    std::shared_ptr<PendingCall> call;
    {
      const std::scoped_lock lock(mutex_);
      for (auto entry = pending_.begin(); entry != pending_.end(); ++entry) {
        if (entry->second->id != id) continue;
        call = entry->second;
        if (!call->running) pending_.erase(entry);
        break;
      }
    }
    if (!call) return;
    if (call->running)
      call->stop.request_stop();  // outside the lock: callbacks of the handler run in here
    else
      call->done(cancelled_call());
  }

  void end_all() {
    std::unordered_map<std::uint64_t, std::shared_ptr<PendingCall>> ended;
    {
      const std::scoped_lock lock(mutex_);
      ended.swap(pending_);
    }
    for (auto& [number, call] : ended) {
      call->stop.request_stop();
      call->done(cancelled_call());
    }
  }

 private:
  bool take(std::uint64_t number) {
    const std::scoped_lock lock(mutex_);
    return pending_.erase(number) > 0;
  }

  Result<Reply> handle(PendingCall& call) const {
    try {
      return handler_(call.envelope, call.stop.get_token());
    } catch (const std::exception& error) {
      return fail(code::handler_error, fmt::format("handler '{}' threw: {}", name_, error.what()));
    } catch (...) {
      return fail(code::handler_error, fmt::format("handler '{}' threw something that is no std::exception", name_));
    }
  }

  const std::string name_;
  const Handler handler_;
  std::mutex mutex_;
  std::uint64_t last_ = 0;
  std::unordered_map<std::uint64_t, std::shared_ptr<PendingCall>> pending_;
};

/// A task's hold on its call: a task that ends without having run it refuses it.
class Ticket {
 public:
  Ticket(std::shared_ptr<Calls> calls, std::uint64_t number) : calls_(std::move(calls)), number_(number) {}
  Ticket(Ticket&&) noexcept = default;
  Ticket& operator=(Ticket&&) = delete;
  ~Ticket() {
    if (calls_) calls_->refuse(number_);
  }
  void use() { calls_->run(number_); }

 private:
  std::shared_ptr<Calls> calls_;
  std::uint64_t number_;
};

class InProcessAgent final : public engine::Agent {
 public:
  InProcessAgent(std::string name, Handler handler, TaskRunner run)
      : calls_(std::make_shared<Calls>(std::move(name), std::move(handler))), run_(std::move(run)) {}
  ~InProcessAgent() override { calls_->end_all(); }

  void call(Envelope envelope, engine::AgentDone done) override {
    const std::uint64_t number = calls_->add(std::move(envelope), std::move(done));
    run_([ticket = Ticket(calls_, number)]() mutable { ticket.use(); });
  }

  void cancel(std::string_view envelope_id) override { calls_->cancel(envelope_id); }

 private:
  const std::shared_ptr<Calls> calls_;
  const TaskRunner run_;
};

}  // namespace

std::unique_ptr<engine::Agent> make_in_process_agent(std::string name, Handler handler, TaskRunner run) {
  return std::make_unique<InProcessAgent>(std::move(name), std::move(handler), std::move(run));
}

}  // namespace mapflow::agents
