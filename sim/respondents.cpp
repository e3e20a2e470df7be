#include "sim/respondents.h"

#include <fmt/format.h>

#include <utility>

namespace mapflow::sim {

namespace {

/// By then the engine has noticed that a deadline has passed, and faults are over.
constexpr Duration kLongAfter = std::chrono::seconds(5);

}  // namespace

void Respondents::asked(const Envelope& envelope) {
  const Answer answer = script_.answer(envelope);
  if (answer.error_at_once) return;
  prepare({envelope.instance_id, envelope.idempotency_key, envelope.attempt, envelope.deadline}, answer);
}

void Respondents::look_into_inboxes() {
  for (const auto& [id, known] : watcher_.instances())
    for (const kernel::OpenCall& call : watcher_.open_calls(id)) {
      if (call.agent != kPerson || !read_.insert(fmt::format("{} {}", call.token, call.attempt)).second) continue;
      prepare({id, call.token, call.attempt, call.deadline}, script_.answer(call.step, call.path, call.attempt, call.data));
    }
}

void Respondents::prepare(const Question& question, const Answer& answer) {
  Chance& chance = world_.chance();
  const auto soon = [&] { return Duration(chance.between(10, 3'000'000)); };
  const auto letter = [&](const Value& value, bool acceptable) {
    return Letter{question.instance, question.token, question.attempt, Reply{value, std::nullopt}, acceptable};
  };
  if (answer.misfit) write(soon(), letter(*answer.misfit, false));
  if (chance.percent(10)) {
    Letter astray = letter(Value("astray"), false);
    astray.token += "9";
    write(soon(), std::move(astray));
  }
  if (answer.too_late && question.deadline != kNever)  // a step that somebody had tried again once more may take it
    write(question.deadline - world_.now() + kLongAfter + soon(), letter(*answer.too_late, !foreseen_));
  if (answer.silent()) return;
  Letter right = letter(answer.value.value_or(Value()), true);
  if (answer.error) right.outcome = fail(*answer.error);
  if (chance.percent(20)) write(Duration(chance.between(10, 8'000'000)), right);
  write(soon(), std::move(right));
}

void Respondents::write(Duration from_now, Letter letter) {
  world_.after(from_now, [this, written = std::make_shared<Letter>(std::move(letter))] { send(written); });
}

void Respondents::send(const LetterPtr& letter) {
  if (letter->done) return;
  if (Node* node = resting_ ? nullptr : choose_()) {
    if (!std::exchange(letter->sent, true)) ++open_;
    node->ask(letter->instance, kernel::Complete{letter->token, letter->outcome},
              [this, letter](Result<Value> told, bool posted) { answered(*letter, told, posted); });
  }
  world_.after(Duration(world_.chance().between(100'000, 1'500'000)), [this, letter] { send(letter); });
}

void Respondents::answered(Letter& letter, const Result<Value>& told, bool posted) {
  if (!told) {
    if (!is_final(letter, told.error())) return;
  } else if (!posted) {
    check_acknowledged(letter);
  }
  if (!std::exchange(letter.done, true)) --open_;
}

/// Whether the error is an answer: sending the letter again would bring the same.
bool Respondents::is_final(const Letter& letter, const Error& error) const {
  if (error.is(code::invalid_input) && letter.acceptable) watcher_.problem("an answer that fits is refused: " + error.to_string());
  if (error.is(code::invalid_state) || error.is(code::invalid_input)) return true;
  if (!error.is(code::not_found)) return false;
  // Who was asked may no longer run the instance, and not know it.
  const auto& ended = watcher_.instance(letter.instance)->ended;
  const auto found = ended.find(letter.token);
  return !letter.acceptable || (found != ended.end() && found->second >= letter.attempt);
}

/// What the owner itself has acknowledged has ended an attempt, for good, and no two answers have ended the same.
void Respondents::check_acknowledged(const Letter& letter) {
  if (!letter.acceptable) return watcher_.problem("an answer is accepted that must be refused, by " + letter.token);
  const Witnessed* known = watcher_.instance(letter.instance);
  const auto ended = known->ended.find(letter.token);
  if (ended == known->ended.end() || ended->second < ++acknowledged_[letter.token])
    watcher_.problem("more answers are acknowledged than attempts have ended, by " + letter.token);
}

}  // namespace mapflow::sim
