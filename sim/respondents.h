// Those who answer later, by the token of the call: agents of their own accord, people out of the inbox.
//
// They live outside the nodes, so a call that was left open is answered whatever became of the node that made it. They
// repeat an answer until it is acknowledged or refused, and are no better than others: they answer twice, too late, what
// does not fit, and by tokens that there never were.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "sim/generator.h"
#include "sim/node.h"
#include "sim/watcher.h"
#include "sim/world.h"

namespace mapflow::sim {

class Respondents {
 public:
  /// `choose` gives a node that is up, or nullptr.
  Respondents(World& world, Watcher& watcher, const Generated& plan, std::function<Node*()> choose)
      : world_(world), watcher_(watcher), script_(plan.scenario.script), foreseen_(plan.foreseen), choose_(std::move(choose)) {}

  /// Somebody was called who answers later, of its own accord.
  void asked(const Envelope& envelope);
  /// People look what waits for them, in every instance.
  void look_into_inboxes();
  /// Nobody sends anything until this is taken back.
  void rest(bool resting) { resting_ = resting; }
  /// Every answer that was sent is acknowledged or refused.
  bool content() const { return open_ == 0; }

 private:
  struct Letter {
    std::string instance, token;
    std::uint32_t attempt;
    Result<Reply> outcome;
    bool acceptable = true;  ///< false: it must be refused
    bool sent = false;
    bool done = false;
  };
  using LetterPtr = std::shared_ptr<Letter>;

  struct Question {
    std::string instance, token;
    std::uint32_t attempt;
    Timestamp deadline;
  };
  void prepare(const Question& question, const Answer& answer);
  void write(Duration from_now, Letter letter);
  void send(const LetterPtr& letter);
  void answered(Letter& letter, const Result<Value>& told, bool posted);
  bool is_final(const Letter& letter, const Error& error) const;
  void check_acknowledged(const Letter& letter);

  World& world_;
  Watcher& watcher_;
  const Script& script_;
  const bool foreseen_;
  const std::function<Node*()> choose_;
  std::set<std::string> read_;                         ///< what people have seen in their inboxes
  std::map<std::string, std::uint32_t> acknowledged_;  ///< answers by token, by the instance's owner itself
  std::size_t open_ = 0;
  bool resting_ = false;
};

}  // namespace mapflow::sim
