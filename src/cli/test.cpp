#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <map>
#include <utility>

#include "builder/render.h"
#include "cli/definitions.h"
#include "cli/files.h"
#include "cli/interrupts.h"
#include "cli/text.h"
#include "cli/verbs.h"
#include "cli/wire.h"
#include "testing/coverage.h"
#include "testing/judge.h"
#include "testing/performance.h"
#include "testing/report.h"
#include "testing/test_file.h"

namespace mapflow::cli {

namespace {

namespace fs = std::filesystem;

constexpr std::chrono::milliseconds kLook{200};  // at the files, with --watch

double milliseconds(double seconds) { return seconds * 1e3; }

bool is_test_file(const fs::path& path) {
  const std::string name = path.filename().string();
  return name.ends_with(".test.yaml") || name.ends_with(".test.yml") || name.ends_with(".test.json");
}

/// What was read to play the tests, and when it was changed last.
using Stamps = std::map<std::string, fs::file_time_type>;

fs::file_time_type stamp_of(const std::string& file) {
  std::error_code missing;
  const auto stamp = fs::last_write_time(file, missing);
  return missing ? fs::file_time_type::min() : stamp;
}

/// All files once.
class TestSession {
 public:
  TestSession(const TestOptions& options, Console& console)
      : options_(options), console_(console), people_(console.people(options.json || options.tap)), kinds_(step_kinds()) {}

  ExitCode run() {
    const Timestamp begun = now();
    for (const std::string& file : test_files()) play_file(file);
    if (reports_.empty() && !broken_) refuse_nothing();
    const double seconds = static_cast<double>((now() - begun).count()) / 1e6;
    if (!reports_.empty()) tell_sum(seconds);
    write_reports();
    return broken_ ? ExitCode::usage : passed() ? ExitCode::success : ExitCode::failed;
  }

  const Stamps& files() const { return files_; }

 private:
  bool covered() const { return coverage_.percent() >= options_.min_coverage; }
  bool passed() const { return testing::failures(reports_) == 0 && covered(); }

  std::vector<std::string> test_files() {
    std::vector<std::string> files;
    for (const std::string& given : options_.files.empty() ? std::vector<std::string>{"."} : options_.files) {
      std::error_code failed;
      if (!fs::is_directory(given, failed)) {
        files.push_back(given);
        continue;
      }
      std::vector<std::string> found;
      for (auto entry = fs::directory_iterator(given, failed); !failed && entry != fs::directory_iterator(); entry.increment(failed))
        if (entry->is_regular_file(failed) && is_test_file(entry->path())) found.push_back(entry->path().lexically_normal().string());
      std::ranges::sort(found);
      std::ranges::move(found, std::back_inserter(files));
    }
    return files;
  }

  void refuse_nothing() {
    broken_ = true;
    problems_.push_back({Severity::error, {}, {}, "there are no tests here", "a file of tests is called NAME.test.yaml, or given by its name"});
    console_.err.write(builder::render(problems_.front(), {}));
  }

  void play_file(const std::string& file) {
    files_[file] = stamp_of(file);
    const auto text = read_text(file);
    if (!text) {
      broken_ = true;
      problems_.push_back({Severity::error, {}, {file, 0, 0}, text.error().message, text.error().hint});
      return console_.error(text.error(), false);
    }
    testing::ReadTests read = testing::read_tests(*text, file, *kinds_);
    LoadedDefinitions loaded;
    if (!has_errors(read.diagnostics)) loaded = load_definitions(read.tests.workflow, read.tests.with, *kinds_, read.tests.mocked());
    for (const auto& [path, source] : loaded.sources) files_[path] = stamp_of(path);
    loaded.sources[file] = *text;
    loaded.diagnostics.insert(loaded.diagnostics.begin(), read.diagnostics.begin(), read.diagnostics.end());
    print_diagnostics(console_.err, loaded);
    if (!loaded.sound()) {
      broken_ = true;
      std::ranges::copy(loaded.diagnostics, std::back_inserter(problems_));
      return;
    }
    for (const Definition& definition : loaded.definitions)
      if (!read.tests.always_mocked(definition.id)) coverage_.expect(definition);
    people_.line(people_.paint(Color::bold, printable(file)));
    testing::FileReport report{file, {}};
    for (const testing::TestCase& test : read.tests.cases) {
      report.cases.push_back(play(test, loaded.definitions));
      tell(report.cases.back());
    }
    reports_.push_back(std::move(report));
  }

  testing::CaseReport play(const testing::TestCase& test, const std::vector<Definition>& definitions) {
    testing::CaseReport report{test.name, test.where, {}, 0, 0};
    const bool faulty = test.faults.kills > 0 || test.faults.store > 0;
    const std::uint64_t first = faulty && options_.seed > 0 ? options_.seed : test.faults.seed;
    const std::uint32_t seeds = faulty && options_.seed > 0 ? 1 : test.faults.seeds;
    const Timestamp begun = now();
    for (std::uint64_t seed = first; seed < first + seeds && report.findings.empty(); ++seed) {
      const auto outcome = testing::perform(test, definitions, seed);
      if (!outcome) {
        report.findings.push_back(outcome.error().to_string());
        break;
      }
      coverage_.count(outcome->stories);
      report.findings = testing::judge(test.expect, *outcome);
      if (!report.findings.empty() && faulty) report.seed = seed;
    }
    report.seconds = static_cast<double>((now() - begun).count()) / 1e6;
    return report;
  }

  void tell(const testing::CaseReport& report) {
    const std::string name = printable(report.name);
    if (report.findings.empty())
      return people_.line(fmt::format("  {} {} {}", people_.paint(Color::green, "ok"), name, people_.paint(Color::dim, fmt::format("({:.0f} ms)", milliseconds(report.seconds)))));
    people_.line(fmt::format("  {} {}", people_.paint(Color::red, "FAILED"), name));
    std::string text = fmt::format("{}\n{}", report.where.to_string(), fmt::join(report.findings, "\n"));
    if (report.seed > 0) text += fmt::format("\nagain: mapflow test {} --seed {}", shell_quoted(report.where.file), report.seed);
    std::string indented = "      ";
    for (const char c : printable_lines(text)) indented += c == '\n' ? std::string("\n      ") : std::string(1, c);
    people_.line(indented);
  }

  void tell_sum(double seconds) {
    const std::size_t all = testing::tests(reports_), failed = testing::failures(reports_);
    const auto steps = coverage_.steps(), ways = coverage_.ways();
    const std::string verdict = failed > 0 ? people_.paint(Color::red, fmt::format("{} failed", failed)) : people_.paint(Color::green, "all passed");
    people_.line(fmt::format("{}, {}; reached: {} of {}, {} of {}; {:.0f} ms", counted(all, "test"), verdict, steps.reached, counted(steps.all, "step"),
                             ways.reached, ways.all == 1 ? "1 branch" : fmt::format("{} branches", ways.all), milliseconds(seconds)));
    if (!covered())
      people_.line(people_.paint(Color::red, fmt::format("too little is covered: {} % of the steps and branches were reached, and --min-coverage asks for {} %",
                                                         coverage_.percent(), options_.min_coverage)));
    if (!options_.coverage && covered()) return;
    for (const testing::Coverage::Missed& missed : coverage_.missed())
      people_.line(printable(fmt::format("  not reached: {}: {}", missed.where.to_string(), missed.what)));
  }

  void write_reports() {
    if (!options_.junit_file.empty())
      if (const Status written = write_text(options_.junit_file, testing::to_junit(reports_)); !written) {
        broken_ = true;
        console_.error(written.error(), false);
      }
    if (options_.tap) console_.out.write(testing::to_tap(reports_));
    if (options_.json)
      console_.document(object({{"ok", !broken_ && passed()},
                                {"tests", testing::to_value(reports_)},
                                {"coverage", coverage_.to_value()},
                                {"diagnostics", *builder::to_value(problems_).find("diagnostics")}}));
  }

  const TestOptions& options_;
  Console& console_;
  Stream& people_;
  const std::unique_ptr<kernel::KindRegistry> kinds_;
  testing::Reports reports_;
  testing::Coverage coverage_;
  Diagnostics problems_;
  Stamps files_;
  bool broken_ = false;
};

bool changed(const Stamps& files) {
  return std::ranges::any_of(files, [](const auto& file) { return stamp_of(file.first) != file.second; });
}

}  // namespace

ExitCode execute(const TestOptions& options, Console& console) {
  if (!options.watch) return TestSession(options, console).run();
  Interrupts interrupts;
  while (true) {
    TestSession session(options, console);
    session.run();
    console.err.line("waiting for a file to change; Ctrl-C ends");
    while (!changed(session.files()))
      if (interrupts.wait(kLook)) return ExitCode::interrupted;
  }
}

}  // namespace mapflow::cli
