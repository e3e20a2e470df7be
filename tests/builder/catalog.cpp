#include "builder/catalog.h"

#include <doctest/doctest.h>

#include <fstream>
#include <iterator>

#include "builder/render.h"

namespace mapflow::test {

namespace {

void check_wait(const Step& step, Diagnostics& found) {
  int given = 0;
  for (const char* field : {"duration", "until", "condition", "signal"}) given += step.fields.find(field) ? 1 : 0;
  if (given != 1) found.push_back({.code = "MF0215", .where = step.where, .message = "a wait needs exactly one of duration, until, condition and signal"});
}

FieldSpec field(const char* name, FieldType type) { return {name, type, "A field."}; }

KindSchema kind(const char* name, std::vector<FieldSpec> fields) {
  KindSchema schema;
  schema.name = name;
  schema.doc = "A kind.";
  schema.fields = std::move(fields);
  return schema;
}

std::vector<KindSchema> kinds() {
  using enum FieldType;
  std::vector<KindSchema> all;
  all.push_back(kind("message", {field("destination", text).needed().means(FieldMeaning::agent), field("action", text), field("data", value),
                                 field("headers", object),
                                 field("priority", choice).by_default("medium").one_of({"low", "medium", "high", "critical"}),
                                 field("wait_for_response", boolean).by_default(true), field("expect", schema)}));
  all.push_back(kind("parallel", {field("steps", branches).needed(), field("max_concurrent", integer), field("fail_fast", boolean),
                                  field("wait_strategy", choice_or_count).one_of({"all", "any", "majority"})}));
  all.push_back(kind("conditional", {field("condition", expression).means(FieldMeaning::condition), field("if_true", steps),
                                     field("if_false", steps), field("switch", cases), field("otherwise", steps)}));
  all.push_back(kind("loop", {field("items", items), field("while", expression),
                              field("until", expression).means(FieldMeaning::condition).asked_after_blocks(),
                              field("loop_var", name).by_default("item").means(FieldMeaning::local),
                              field("body", steps).needed().run_many_times(), field("max_concurrent", integer),
                              field("max_iterations", integer), field("collect", expression).asked_after_blocks()}));
  all.push_back(kind("subworkflow", {field("workflow_id", name).needed().means(FieldMeaning::workflow), field("input", object),
                                     field("output", object).means(FieldMeaning::variables).seeing({"child"})}));
  all.push_back(kind("wait", {field("duration", duration), field("until", text), field("condition", expression).means(FieldMeaning::condition),
                              field("signal", text), field("on_timeout", steps)}));
  all.back().check = check_wait;
  all.push_back(kind("transform", {field("transformations", object).means(FieldMeaning::variables), field("assert", expressions)}));
  all.push_back(kind("aggregate", {field("source_steps", names).needed(), field("aggregation", choice).one_of({"list", "sum", "avg", "vote"}),
                                   field("where", expression).seeing({"value", "source"}), field("weight", number)}));
  all.push_back(kind("custom", {field("handler", name).needed(), field("input", value)}));
  all.push_back(kind("sequence", {field("steps", steps).needed()}));
  return all;
}

class Catalog final : public KindCatalog {
 public:
  const KindSchema* schema(std::string_view kind) const override {
    for (const KindSchema& each : kinds_)
      if (each.name == kind) return &each;
    return nullptr;
  }
  std::vector<std::string> kind_names() const override {
    std::vector<std::string> names;
    for (const KindSchema& each : kinds_) names.push_back(each.name);
    return names;
  }

 private:
  std::vector<KindSchema> kinds_ = kinds();
};

}  // namespace

const KindCatalog& catalog() {
  static const Catalog kCatalog;
  return kCatalog;
}

std::string Checked::codes() const {
  std::string out;
  for (const Diagnostic& each : diagnostics) {
    out += std::string(out.empty() ? "" : ", ") + (each.severity == Severity::warning ? "w " : "") + std::to_string(each.where.line) + ":" +
           std::to_string(each.where.column) + " " + each.code;
  }
  return out;
}

Checked check_text(std::string_view text, const std::string& file, const builder::FileSource* files, const builder::Surroundings& around) {
  builder::ReadResult read = builder::read_definitions(text, file, catalog(), files);
  Checked out{std::move(read.definitions), std::move(read.diagnostics)};
  Diagnostics found = builder::validate(out.definitions, catalog(), around);
  out.diagnostics.insert(out.diagnostics.end(), found.begin(), found.end());
  builder::sort_diagnostics(out.diagnostics);
  return out;
}

Definition read_sound(std::string_view text) {
  Checked checked = check_text(text);
  INFO(lines_of(checked.diagnostics));
  REQUIRE(!has_errors(checked.diagnostics));
  REQUIRE(!checked.definitions.empty());
  return std::move(checked.definitions.front());
}

std::string lines_of(const Diagnostics& diagnostics) {
  std::string out;
  for (const Diagnostic& each : diagnostics) out += each.to_string() + "\n";
  return out;
}

std::string file_text(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  REQUIRE_MESSAGE(in.good(), path);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace mapflow::test
