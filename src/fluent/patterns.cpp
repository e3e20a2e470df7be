#include "fluent/patterns.h"

#include <iterator>
#include <utility>

namespace mapflow::pattern {

namespace {

Value verdict_schema(std::initializer_list<Value> required) {
  return object({{"type", "object"}, {"required", array(required)}});
}

/// The steps of several blocks, one behind the other.
Steps chained(Steps first, Steps second) {
  std::move(second.block.begin(), second.block.end(), std::back_inserter(first.block));
  std::move(second.people.begin(), second.people.end(), std::back_inserter(first.people));
  return first;
}

}  // namespace

Steps saga(std::vector<Undoable> parts) {
  const BranchChain chain = branch();
  for (Undoable& part : parts) chain.sequence(std::move(part.work)).with_id(part.id).with_compensation(std::move(part.undo));
  return chain;
}

Steps approval(const std::string& id, const std::string& person, std::string_view question, Duration patience, const Data& data) {
  return branch().human(person, question, data).with_id(id).with_timeout(patience).expecting(verdict_schema({"approved"}))
      .on_failure(branch().transform({{"approved", false}, {"reason", "{{ error.code }}"}}).with_id(id + "_unanswered"));
}

Steps four_eyes(const std::string& id, const std::string& first, const std::string& second, std::string_view question, Duration patience) {
  const auto asked = [&](const char* branch_name, const std::string& person) {
    return branch(branch_name).human(person, question).with_id(id + "_" + branch_name).with_timeout(patience).expecting(verdict_schema({"approved", "by"}))
        .on_failure(branch().transform({{"approved", false}, {"by", "{{ error.code }}"}}).with_id(id + "_" + branch_name + "_unanswered"));
  };
  const std::string both = "results." + id + "_both.";
  return branch().parallel(id + "_both", asked("first", first), asked("second", second))
      .transform({{"first", "{{ " + both + "first }}"}, {"second", "{{ " + both + "second }}"},
                  {"agreed", "{{ " + both + "first.approved and " + both + "second.approved and " + both + "first.by != " + both + "second.by }}"}})
          .with_id(id);
}

Steps escalation(const std::string& id, const std::string& first, const std::string& second, std::string_view question, Duration patience,
                 Duration second_patience) {
  return branch().human(first, question).with_id(id).with_timeout(patience).expecting(verdict_schema({"approved"}))
      .on_failure(branch().human(second, question).with_id(id + "_escalated").with_timeout(second_patience).expecting(verdict_schema({"approved"}))
                      .suspend_on_failure());
}

Steps map_reduce(const std::string& id, std::string_view items, Steps body, Aggregation how, std::uint32_t max_concurrent) {
  return branch().for_each(items, std::move(body)).with_id(id).with_max_concurrent(max_concurrent)
      .aggregate({id + "[*]"}, how).with_id(id + "_reduced");
}

Steps quorum(const std::string& id, std::vector<Steps> replicas, std::uint32_t needed) {
  for (Steps& replica : replicas)
    for (Step& step : replica.block) step.on_error = OnError::proceed;
  return branch().parallel(id + "_asked", std::move(replicas)).with_fail_fast(false)
      .aggregate({id + "_asked[*]"}, Aggregation::quorum).with_id(id).with_quorum(needed).where("value is not none");
}

Steps poll(const std::string& id, Steps ask, std::string_view until, Duration interval, std::uint64_t tries) {
  return branch().until(until, chained(branch().wait(interval).with_id(id + "_pause"), std::move(ask))).with_id(id).with_max_iterations(tries);
}

Steps dead_letters(const std::string& id, std::string_view items, Steps work, Steps put_aside, std::uint32_t max_concurrent) {
  return branch().for_each(items, branch().sequence(std::move(work)).with_id(id + "_work").on_failure(std::move(put_aside)))
      .with_id(id).with_loop_variable("item").with_max_concurrent(max_concurrent);
}

Steps refine(const std::string& id, Steps make, Steps judge, std::string_view good, std::uint64_t rounds) {
  return branch().until(good, chained(std::move(make), std::move(judge))).with_id(id).with_max_iterations(rounds);
}

}  // namespace mapflow::pattern
