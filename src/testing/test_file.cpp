#include "testing/test_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "builder/reader.h"
#include "jinja/workflow.h"
#include "testing/reading.h"

namespace mapflow::testing {

using builder::Node;
namespace mf = builder::mf;

namespace {

using std::chrono::hours;

constexpr Duration kPatience = hours(24 * 366);
const Timestamp kFirstMoment = from_micros(1'893'456'000'000'000);  // 2030-01-01T00:00:00Z

constexpr std::int64_t kMostSeeds = 100'000;

Faults read_faults(TestReading& from, Node node) {
  static constexpr std::array<std::string_view, 4> kKeys{"seed", "seeds", "kills", "store"};
  Faults faults;
  if (!from.expect_keys(node, "faults", kKeys)) return faults;
  builder::Reading& reading = from.reading;
  if (const Node seed = node.find("seed")) faults.seed = static_cast<std::uint64_t>(reading.integer(seed, "seed", 0, INT64_MAX).value_or(1));
  if (const Node seeds = node.find("seeds")) faults.seeds = static_cast<std::uint32_t>(reading.integer(seeds, "seeds", 1, kMostSeeds).value_or(1));
  if (const Node kills = node.find("kills")) faults.kills = static_cast<std::uint32_t>(reading.integer(kills, "kills", 0, 1000).value_or(0));
  if (const Node store = node.find("store")) faults.store = reading.number(store, "store", 0, 0.9).value_or(0);
  return faults;
}

std::map<std::string, std::string> read_secrets(TestReading& from, Node node) {
  std::map<std::string, std::string> secrets;
  if (from.reading.expect_map(node, "secrets"))
    for (const Node each : node.children()) secrets[std::string(each.key())] = from.reading.text(each, each.key()).value_or("");
  return secrets;
}

class FileReader {
 public:
  FileReader(TestReading from, TestFile& tests) : from_(from), tests_(tests) {}

  void read(Node root) {
    static constexpr std::array<std::string_view, 9> kKeys{"workflow", "with", "agents", "handlers", "workflows", "secrets", "now", "within", "tests"};
    if (!from_.expect_keys(root, "a file of tests", kKeys)) return;
    tests_.workflow = builder::resolve_path(tests_.file, workflow_of(root));
    if (const Node with = root.find("with"))
      for (const std::string& each : from_.reading.texts(with, "with")) tests_.with.push_back(builder::resolve_path(tests_.file, each));
    base_.now = kFirstMoment;
    base_.within = kPatience;
    read_common(root, base_);
    const Node tests = root.find("tests");
    if (!tests || !tests.is_list() || tests.size() == 0) {
      from_.reading.error(tests ? mf::wrong_type : mf::missing, (tests ? tests : root).mark(), "'tests' must be a list of tests");
      return;
    }
    for (const Node each : tests.children()) read_case(each);
  }

 private:
  /// "orders.test.yaml" is a test of "orders.yaml" unless it says otherwise.
  std::string workflow_of(Node root) {
    if (const Node named = root.find("workflow")) return from_.reading.text(named, "workflow").value_or("");
    const std::string name = tests_.file.substr(tests_.file.find_last_of('/') + 1);
    const std::size_t mark = name.find(".test.");
    if (mark != std::string::npos) return name.substr(0, mark) + name.substr(mark + 5);
    from_.reading.error(mf::missing, root.mark(), "nothing says which workflow is tested", "write `workflow: FILE`, or call the file NAME.test.yaml");
    return {};
  }

  /// What a file says for all of its tests, and each test for itself.
  void read_common(Node node, TestCase& into) {
    if (const Node agents = node.find("agents")) into.agents = read_mocks(from_, agents, std::move(into.agents));
    if (const Node handlers = node.find("handlers")) into.handlers = read_mocks(from_, handlers, std::move(into.handlers));
    if (const Node workflows = node.find("workflows")) into.workflows = read_workflow_mocks(from_, workflows, std::move(into.workflows));
    if (const Node secrets = node.find("secrets"))
      for (auto& [name, value] : read_secrets(from_, secrets)) into.secrets[name] = value;
    if (const Node within = node.find("within")) into.within = from_.reading.duration(within, "within").value_or(kPatience);
    if (const Node now = node.find("now")) {
      const auto at = parse_timestamp(from_.reading.text(now, "now").value_or(""));
      if (at) into.now = *at;
      else from_.reading.error(mf::not_allowed, now.mark(), at.error().message, "write a moment like 2030-01-31T12:00:00Z");
    }
  }

  void read_case(Node node) {
    static constexpr std::array<std::string_view, 11> kKeys{"name", "input", "agents", "handlers", "workflows", "secrets", "now", "within", "do", "faults", "expect"};
    if (!from_.expect_keys(node, "a test", kKeys)) return;
    TestCase test = base_;
    test.where = from_.reading.at(node.mark());
    test.expect.where = test.where;
    const Node name = node.find("name");
    test.name = name ? from_.reading.text(name, "name").value_or("") : fmt::format("test {}", tests_.cases.size() + 1);
    if (!names_.insert(test.name).second) from_.reading.error(mf::not_allowed, (name ? name : node).mark(), fmt::format("two tests are called '{}'", test.name));
    if (const Node input = node.find("input"); input && from_.reading.expect_map(input, "input")) test.input = input.to_value();
    read_common(node, test);
    if (const Node actions = node.find("do")) read_actions(actions, test);
    if (const Node faults = node.find("faults")) test.faults = read_faults(from_, faults);
    if (const Node expect = node.find("expect")) test.expect = read_expectation(from_, expect);
    if (!test.expect.state && test.expect.refused.empty()) test.expect.state = WorkflowState::completed;
    tests_.cases.push_back(std::move(test));
  }

  void read_actions(Node actions, TestCase& test) {
    if (!actions.is_list()) return from_.reading.error(mf::wrong_type, actions.mark(), "'do' must be a list of what is done");
    for (const Node each : actions.children()) test.actions.push_back(read_action(from_, each));
  }

  TestReading from_;
  TestFile& tests_;
  TestCase base_;
  std::set<std::string> names_;
};

}  // namespace

std::vector<std::string> TestFile::mocked() const {
  std::set<std::string> ids;
  for (const TestCase& test : cases)
    for (const auto& [id, mock] : test.workflows) ids.insert(id);
  return {ids.begin(), ids.end()};
}

bool TestFile::always_mocked(std::string_view workflow) const {
  return std::ranges::all_of(cases, [workflow](const TestCase& test) { return test.workflows.contains(workflow); });
}

bool TestReading::expect_keys(Node map, std::string_view what, std::span<const std::string_view> known) {
  if (!reading.expect_map(map, what)) return false;
  for (const Node member : map.children())
    if (std::ranges::find(known, member.key()) == known.end()) reading.unknown_key(member, what, known);
  return true;
}

std::optional<jinja::Template> TestReading::expression(Node node, std::string_view what) {
  builder::Mark begin;
  const auto text = reading.expression(node, what, &begin);
  if (!text || text->empty()) return std::nullopt;
  auto compiled = environment.compile_expression(*text, reading.at(begin));
  if (compiled) return *std::move(compiled);
  reading.error(mf::expression_syntax, {compiled.error().where.line, compiled.error().where.column}, compiled.error().message, compiled.error().hint);
  return std::nullopt;
}

kernel::ValueTemplate TestReading::value(const Value& value, builder::Mark at) {
  const Location place = reading.at(at);
  auto compiled = kernel::ValueTemplate::compile(value, environment, [&](const std::string&) { return place; });
  if (compiled) return *std::move(compiled);
  reading.error(mf::template_syntax, {compiled.error().where.line, compiled.error().where.column}, compiled.error().message, compiled.error().hint);
  return {};
}

ReadTests read_tests(std::string_view text, const std::string& file, const KindCatalog& kinds) {
  ReadTests read;
  read.tests.file = file;
  builder::ParsedText parsed = builder::parse_documents(text, file);
  read.diagnostics = std::move(parsed.diagnostics);
  if (parsed.documents.empty() && !has_errors(read.diagnostics))
    read.diagnostics.push_back({Severity::error, std::string(mf::no_definition), {file, 1, 1}, "there is no test in this file", {}});
  if (parsed.documents.empty()) return read;
  builder::Document& document = parsed.documents.front();
  builder::Reading reading(document, kinds, read.diagnostics);
  const jinja::Environment environment = jinja::workflow_environment();
  FileReader({reading, environment}, read.tests).read(document.root());
  return read;
}

}  // namespace mapflow::testing
