// aggregate: makes one value of the results of several steps.
#include <fmt/format.h>

#include <algorithm>

#include "steps/reduce.h"
#include "steps/registry.h"

namespace mapflow::steps {

namespace {

/// "check", "fan[*]", "each[*].score": a step's result, taken apart. An empty member is `[*]`.
struct Source {
  std::string text;
  std::string step;
  std::vector<std::string> way;
};

constexpr std::string_view kEach = "[*]";

/// nullopt when it is not written like one.
std::optional<Source> read_source(std::string_view text) {
  Source source{std::string(text), std::string(text.substr(0, text.find_first_of(".["))), {}};
  std::string_view rest = text.substr(source.step.size());
  if (source.step.empty()) return std::nullopt;
  while (!rest.empty()) {
    if (rest.starts_with(kEach)) {
      source.way.emplace_back();
      rest.remove_prefix(kEach.size());
      continue;
    }
    const std::size_t end = rest.find_first_of(".[", 1);
    if (rest.front() != '.' || rest.substr(1, end - 1).empty()) return std::nullopt;
    source.way.emplace_back(rest.substr(1, end == std::string_view::npos ? end : end - 1));
    rest.remove_prefix(std::min(rest.size(), end));
  }
  return source;
}

struct AggregateSpec final : kernel::StepSpec {
  std::vector<Source> sources;
  std::string aggregation, reducer;
  std::optional<jinja::Template> where, by, expression;
  std::int64_t quorum = 0;  ///< 0: the majority
  bool first_wins = false;  ///< on a tie
  bool needs_all = false;
};

struct Candidates {
  Values values;
  std::vector<std::string> sources;
};

class Aggregate final : public kernel::StepKind {
 public:
  const KindSchema& schema() const override {
    static const KindSchema kSchema = describe();
    return kSchema;
  }

  Result<std::unique_ptr<const kernel::StepSpec>> compile(const kernel::SpecCompiler& compiler) const override {
    auto spec = std::make_unique<AggregateSpec>();
    if (const Value* sources = compiler.field("source_steps"); sources && sources->is_array()) {
      for (const Value& each : sources->as_array()) {
        auto source = read_source(each.as_text());
        if (!source) return fail(code::invalid_input, fmt::format("'{}' is no source of an aggregate", each.as_text()));
        spec->sources.push_back(*std::move(source));
      }
    }
    spec->aggregation = compiler.text("aggregation", "list");
    spec->reducer = compiler.text("reducer");
    MAPFLOW_ASSIGN(spec->where, compiler.expression("where"));
    MAPFLOW_ASSIGN(spec->by, compiler.expression("by"));
    MAPFLOW_ASSIGN(spec->expression, compiler.expression("expression"));
    spec->quorum = compiler.integer("quorum", 0);
    spec->first_wins = compiler.text("tie_break") == "first";
    spec->needs_all = compiler.text("on_missing") == "fail";
    return spec;
  }

  void enter(kernel::StepScope& scope) const override {
    const auto& spec = scope.spec<AggregateSpec>();
    auto found = candidates(scope, spec);
    if (!found) return scope.fail(std::move(found.error()));
    if (!spec.reducer.empty()) {
      Array sources(found->sources.begin(), found->sources.end());
      Value data = object({{"values", Value(Array(found->values.begin(), found->values.end()))}, {"sources", Value(std::move(sources))}});
      return scope.call({.kind = kernel::Request::Kind::handler, .target = spec.reducer, .data = std::move(data)});
    }
    auto result = reduced(scope, spec, *found);
    if (!result) return scope.fail(std::move(result.error()));
    scope.finish(*std::move(result));
  }

 private:
  static KindSchema describe() {
    KindSchema schema;
    schema.name = "aggregate";
    schema.doc = "Makes one value of the results of several steps.";
    schema.fields.push_back(
        FieldSpec("source_steps", FieldType::names,
                  "Whose results: ids of steps, `fan[*]` for each part of a result, `each[*].score` for a member of each.")
            .needed()
            .means(FieldMeaning::sources));
    schema.fields.push_back(FieldSpec("aggregation", FieldType::choice, "What is made of them.")
                                .by_default("list")
                                .one_of({"list", "merge", "deep_merge", "sum", "avg", "min", "max", "count", "concat", "first",
                                         "last", "median", "unique", "flatten", "vote", "best", "quorum", "custom"}));
    schema.fields.push_back(FieldSpec("where", FieldType::expression, "Takes only values for which this holds.")
                                .means(FieldMeaning::condition)
                                .seeing({"value", "source"}));
    schema.fields.push_back(
        FieldSpec("by", FieldType::expression, "With `best`: the score of a value; the highest wins.").seeing({"value", "source"}));
    schema.fields.push_back(FieldSpec("quorum", FieldType::choice_or_count, "With `quorum`: how many must agree.")
                                .by_default("majority")
                                .one_of({"majority"}));
    schema.fields.push_back(FieldSpec("tie_break", FieldType::choice, "With `vote`: who wins when several lead.")
                                .by_default("none")
                                .one_of({"none", "first"}));
    schema.fields.push_back(
        FieldSpec("expression", FieldType::expression, "With `custom`: the result.").seeing({"values", "sources"}));
    schema.fields.push_back(FieldSpec(
        "reducer", FieldType::name, "With `custom`: the handler that is given {values, sources} and answers with the result."));
    schema.fields.push_back(
        FieldSpec("on_missing", FieldType::choice, "What a source without a result (skipped, failed) means: it is left out, or the step fails.")
            .by_default("skip")
            .one_of({"skip", "fail"}));
    schema.check = check;
    return schema;
  }

  /// A part that has no result is null, and so is the result of a step that was skipped or failed.
  static Status follow(const AggregateSpec& spec, const Source& source, std::size_t step, const Value& at, std::string origin,
                       Candidates& found) {
    if (at.is_null()) {
      if (!spec.needs_all) return {};
      return fail(Error(code::invalid_input, fmt::format("source '{}' has no result", origin), "on_missing: skip leaves such sources out"));
    }
    if (step == source.way.size()) {
      found.values.push_back(at);
      found.sources.push_back(std::move(origin));
      return {};
    }
    const std::string& member = source.way[step];
    if (!member.empty()) {
      const Value* part = at.find(member);
      return follow(spec, source, step + 1, part ? *part : Value(), origin + "." + member, found);
    }
    if (at.is_array()) {
      for (std::size_t i = 0; i < at.size(); ++i)
        MAPFLOW_TRY(follow(spec, source, step + 1, at.as_array()[i], fmt::format("{}[{}]", origin, i), found));
      return {};
    }
    if (!at.is_object())
      return fail(code::invalid_input, fmt::format("'{}' is a {}: it has no parts for [*]", origin, to_string(at.type())));
    for (const auto& [key, part] : at.as_object())
      MAPFLOW_TRY(follow(spec, source, step + 1, part, fmt::format("{}.{}", origin, key.view()), found));
    return {};
  }

  static Result<Candidates> candidates(const kernel::StepScope& scope, const AggregateSpec& spec) {
    const Value results = scope.results();
    Candidates all;
    for (const Source& source : spec.sources) {
      const Value* result = results.find(source.step);
      MAPFLOW_TRY(follow(spec, source, 0, result ? *result : Value(), source.step, all));
    }
    if (!spec.where) return all;
    Candidates kept;
    for (std::size_t i = 0; i < all.values.size(); ++i) {
      MAPFLOW_ASSIGN(const bool wanted, scope.test_with(*spec.where, candidate(all, i)));
      if (!wanted) continue;
      kept.values.push_back(std::move(all.values[i]));
      kept.sources.push_back(std::move(all.sources[i]));
    }
    return kept;
  }

  static Value candidate(const Candidates& all, std::size_t i) {
    return object({{"value", all.values[i]}, {"source", all.sources[i]}});
  }

  static Result<Value> reduced(const kernel::StepScope& scope, const AggregateSpec& spec, const Candidates& found) {
    const Values& values = found.values;
    if (spec.aggregation == "vote") return vote(values, spec.first_wins);
    if (spec.aggregation == "quorum")
      return quorum(values, spec.quorum > 0 ? static_cast<std::size_t>(spec.quorum) : values.size() / 2 + 1);
    if (spec.aggregation == "best") {
      Values scores;
      for (std::size_t i = 0; i < values.size(); ++i) {
        MAPFLOW_ASSIGN(auto score, spec.by ? scope.evaluate_with(*spec.by, candidate(found, i)) : Result<Value>(values[i]));
        scores.push_back(std::move(score));
      }
      MAPFLOW_ASSIGN(const auto winner, best(scores));
      return winner ? values[*winner] : Value();
    }
    if (spec.expression) {
      Array sources(found.sources.begin(), found.sources.end());
      return scope.evaluate_with(*spec.expression,
                                 object({{"values", Value(Array(values.begin(), values.end()))}, {"sources", Value(std::move(sources))}}));
    }
    return reduce(spec.aggregation, values);
  }

  static void check(const Step& step, Diagnostics& found) {
    const auto has = [&](std::string_view name) { return step.fields.find(name) != nullptr; };
    const Value* const given = step.fields.find("aggregation");
    const std::string_view aggregation = given && given->is_text() ? given->as_text() : "list";
    if (aggregation == "custom" && has("expression") == has("reducer"))
      found.push_back({.code = "MF0218", .where = step.where, .message = "a custom aggregation needs either expression or reducer"});
    static constexpr std::pair<const char*, const char*> kOnly[] = {
        {"by", "best"}, {"quorum", "quorum"}, {"tie_break", "vote"}, {"expression", "custom"}, {"reducer", "custom"}};
    for (const auto& [field, wanted] : kOnly) {
      if (has(field) && aggregation != wanted)
        found.push_back({.severity = Severity::warning,
                         .code = "MF0219",
                         .where = step.place(field),
                         .message = fmt::format("{} has an effect only with aggregation: {}", field, wanted)});
    }
    const Value* const sources = step.fields.find("source_steps");
    if (!sources || !sources->is_array()) return;
    for (std::size_t i = 0; i < sources->size(); ++i) {
      const Value& each = sources->as_array()[i];
      if (each.is_text() && !read_source(each.as_text()))
        found.push_back({.code = "MF0227",
                         .where = step.place(fmt::format("source_steps.{}", i)),
                         .message = fmt::format("'{}' is no source: write a step's id, and behind it [*] and .member", each.as_text())});
    }
  }
};

}  // namespace

std::unique_ptr<const kernel::StepKind> make_aggregate() { return std::make_unique<Aggregate>(); }

}  // namespace mapflow::steps
