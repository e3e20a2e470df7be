#include "agents/call_loop.h"

#include <fmt/format.h>
#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <future>
#include <iterator>
#include <system_error>

#include "agents/reply.h"

namespace mapflow::agents {

void CallLoop::submit(std::unique_ptr<Call> call) {
  order([this, call = std::move(call)]() mutable {
    call->serial = ++last_serial_;
    if (waiting_.size() < limits_.max_waiting) return waiting_.push_back(std::move(call));
    auto refusal = fail(code::unavailable, fmt::format("{} calls wait for a free place already", limits_.max_waiting),
                        "limit the agent with max_concurrent");
    finished_.push_back({std::move(call), std::move(refusal)});
  });
}

void CallLoop::cancel(const void* owner, std::string_view id) {
  order([this, owner, id = std::string(id)] { cancel_now(owner, id); });
}

void CallLoop::stop(const void* owner) {
  if (thread_.load() == std::this_thread::get_id()) {
    obey_orders();  // the owner's calls may still be among them
    stop_now(owner);
    return;
  }
  std::promise<void> stopped;
  order([this, owner, &stopped] {
    stop_now(owner);
    stopped.set_value();
  });
  stopped.get_future().wait();
}

void CallLoop::order(Order order) {
  bool first = false;
  {
    const std::scoped_lock lock(mutex_);
    first = orders_.empty();
    orders_.push_back(std::move(order));
  }
  if (first) wake();
}

void CallLoop::obey_orders() {
  {
    const std::scoped_lock lock(mutex_);
    std::ranges::move(orders_, std::back_inserter(obeying_));
    orders_.clear();
  }
  // One at a time from the front: stopping calls `done`s, and one of them may come back here.
  while (!obeying_.empty()) {
    Order next = std::move(obeying_.front());
    obeying_.pop_front();
    next();
  }
}

void CallLoop::run() {
  thread_ = std::this_thread::get_id();
  while (!ending_) {
    obey_orders();
    start_waiting();
    deliver();
    // A `done` may have made room or given orders; the wake() of the latter keeps this wait short.
    if (!ending_ && (waiting_.empty() || running_.size() >= limits_.max_running)) wait();
  }
  shut_down();
}

void CallLoop::end() {
  order([this] { ending_ = true; });
}

void CallLoop::start_waiting() {
  while (!waiting_.empty() && running_.size() < limits_.max_running) {
    std::unique_ptr<Call> call = std::move(waiting_.front());
    waiting_.pop_front();
    Call& started = *call;
    running_.emplace(started.serial, std::move(call));
    start(started);
  }
}

void CallLoop::finish(Call& call, Result<Reply> result) {
  auto node = running_.extract(call.serial);
  finished_.push_back({std::move(node.mapped()), std::move(result)});
}

void CallLoop::deliver() {
  // One at a time from the front: a `done` may stop its agent, which delivers too.
  while (!finished_.empty()) {
    Finished next = std::move(finished_.front());
    finished_.pop_front();
    next.call->done(std::move(next.result));
  }
}

Call* CallLoop::find_running(std::uint64_t serial) const {
  const auto found = running_.find(serial);
  return found == running_.end() ? nullptr : found->second.get();
}

void CallLoop::cancel_now(const void* owner, std::string_view id) {
  const auto wanted = [&](const auto& call) { return call->owner == owner && call->id == id; };
  if (const auto found = std::find_if(waiting_.begin(), waiting_.end(), wanted); found != waiting_.end()) {
    finished_.push_back({std::move(*found), cancelled_call()});
    waiting_.erase(found);
    return;
  }
  for (const auto& [serial, call] : running_)
    if (wanted(call)) return give_up(*call);
}

void CallLoop::stop_now(const void* owner) {
  std::vector<Call*> ended;
  for (const auto& [serial, call] : running_)
    if (call->owner == owner) ended.push_back(call.get());
  for (Call* call : ended) {
    abort(*call);
    finish(*call, cancelled_call());
  }
  std::deque<std::unique_ptr<Call>> others;
  for (auto& call : waiting_) {
    if (call->owner == owner)
      finished_.push_back({std::move(call), cancelled_call()});
    else
      others.push_back(std::move(call));
  }
  waiting_.swap(others);
  deliver();
}

Result<std::shared_ptr<CallThread>> CallThread::start(std::shared_ptr<CallLoop> loop, const char* name) {
  const std::shared_ptr<CallThread> started(new CallThread(loop));
  // The thread starts with every signal blocked: they are the program's business, and a write to a pipe or socket
  // that the other side has closed must end in EPIPE here, not in SIGPIPE.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  Status status;
  try {
    started->thread_ = std::thread([loop] { loop->run(); });
    pthread_setname_np(started->thread_.native_handle(), name);
  } catch (const std::system_error& error) {
    status = fail(code::resource_exhausted, fmt::format("cannot start the thread {}: {}", name, error.what()));
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  MAPFLOW_TRY(status);
  return started;
}

CallThread::~CallThread() {
  if (!thread_.joinable()) return;
  loop_->end();
  if (thread_.get_id() == std::this_thread::get_id())
    thread_.detach();  // it holds the loop, and ends after this turn
  else
    thread_.join();
}

}  // namespace mapflow::agents
