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

/// Failures of a branch are its own affair.
void let_fail(std::vector<Steps>& branches) {
  for (Steps& each : branches)
    for (Step& step : each.block) step.on_error = OnError::proceed;
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
  let_fail(replicas);
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

Steps fan_out(const std::string& id, std::vector<Steps> parts) {
  let_fail(parts);
  return branch().parallel(id + "_asked", std::move(parts)).with_fail_fast(false)
      .aggregate({id + "_asked[*]"}, Aggregation::merge).with_id(id).where("value is not none");
}

Steps etl(const std::string& id, Steps extract, std::string_view rows, Steps clean, Steps load, std::uint32_t max_concurrent) {
  return branch().append(std::move(extract))
      .for_each(rows, std::move(clean)).with_id(id).with_loop_variable("row").with_max_concurrent(max_concurrent)
      .append(std::move(load));
}

Steps ml_pipeline(const std::string& id, Search search) {
  const auto gate = branch().for_each(search.grid, std::move(search.train)).with_id(id + "_search").with_loop_variable("point")
      .with_max_concurrent(search.max_concurrent)
      .aggregate({id + "_search[*]"}, Aggregation::best).with_id(id).by(search.score)
      .if_condition(search.good, std::move(search.deploy)).with_id(id + "_gate");
  if (!search.keep.block.empty()) gate.otherwise(std::move(search.keep));
  return gate;
}

Steps crawl(const std::string& id, std::string_view first, Steps fetch, std::uint64_t levels, std::uint32_t max_concurrent) {
  const std::string frontier = id + "_frontier", seen = id + "_seen";
  const std::string links = "results." + id + "_pages | select | map(attribute='links') | sum(start=[]) | unique";
  std::vector<Steps> fetched{std::move(fetch)};
  let_fail(fetched);
  Steps level = branch().transform({{seen, "{{ " + seen + " + " + frontier + " }}"}}).with_id(id + "_mark")
      .for_each(frontier, std::move(fetched.front())).with_id(id + "_pages").with_loop_variable("page").with_max_concurrent(max_concurrent)
      .transform({{frontier, "{{ " + links + " | reject('in', " + seen + ") | list }}"}}).with_id(id + "_next");
  return branch().transform({{frontier, "{{ " + std::string(first) + " }}"}, {seen, array({})}}).with_id(id + "_start")
      .while_(frontier + " | length > 0", std::move(level)).with_id(id + "_levels").with_max_iterations(levels).stop_at_max_iterations().collecting("none")
      .transform({{"pages", "{{ " + seen + " }}"}}).with_id(id);
}

Steps circuit_breaker(const std::string& id, Steps work, Steps reserve) {
  return branch().sequence(std::move(work)).with_id(id).on_failure(std::move(reserve));
}

Value breaker(std::uint32_t failures, Duration window, Duration open_for) {
  return object({{"circuit_breaker", object({{"failure_threshold", failures}, {"window", format_duration(window)}, {"open_for", format_duration(open_for)}})}});
}

Steps debate(const std::string& id, std::vector<Steps> debaters, std::uint64_t rounds) {
  const std::string opinions = id + "_opinions";
  const std::string choices = opinions + ".values() | map(attribute='choice')";
  return branch().transform({{opinions, Value(Object{})}}).with_id(id + "_start")
      .until(choices + " | unique | list | length == 1", branch().parallel(id + "_round", std::move(debaters)).with_output_key(opinions))
          .with_id(id + "_rounds").with_max_iterations(rounds).stop_at_max_iterations().collecting("none")
      .transform({{id + "_choices", "{{ " + choices + " | list }}"}}).with_id(id + "_ballots")
      .aggregate({id + "_ballots." + id + "_choices[*]"}, Aggregation::vote).with_id(id);
}

Steps human_in_the_loop(const std::string& id, Steps draft, const std::string& person, std::string_view question, Duration patience,
                        std::uint64_t drafts) {
  const std::string remarks = id + "_remarks", review = "results." + id + "_review";
  return branch().transform({{remarks, array({})}}).with_id(id + "_start")
      .append(refine(id, std::move(draft),
                     branch().human(person, question).with_id(id + "_review").with_timeout(patience).expecting(verdict_schema({"accepted"}))
                         .transform({{remarks, "{{ " + remarks + " + ([" + review + ".remark] if " + review + ".remark is defined else []) }}"}})
                             .with_id(id + "_note"),
                     review + ".accepted", drafts));
}

Steps planner(const std::string& id, Team team, std::uint64_t rounds) {
  Steps work = branch().append(std::move(team.plan))
      .for_each(team.tasks, std::move(team.execute)).with_id(id + "_work").with_loop_variable("task").with_max_concurrent(team.max_concurrent);
  return refine(id, std::move(work), std::move(team.judge), team.good, rounds);
}

}  // namespace mapflow::pattern
