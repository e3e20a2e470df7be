// Every file in broken/ gives exactly the findings in the .expected file beside it.
//
// A file that begins with "# around: all agents are known" is checked as the command line does, where nobody else has agents.
//
// To write the expected findings anew after a change of wording, run with MAPFLOW_UPDATE_EXPECTED=1 and read the diff.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <vector>

#include "builder/catalog.h"
#include "builder/codes.h"
#include "builder/render.h"

using namespace mapflow;
namespace fs = std::filesystem;

namespace {

std::vector<fs::path> broken_files() {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(fs::path(MAPFLOW_SOURCE_DIR) / "tests/builder/broken"))
    if (entry.path().extension() != ".expected") files.push_back(entry.path());
  std::ranges::sort(files);
  return files;
}

test::Checked checked_file(const fs::path& file, const std::string& text) {
  return test::check_text(text, file.filename(), nullptr, {.agents_known = text.starts_with("# around: all agents are known\n")});
}

std::string rendered(const test::Checked& checked, const std::string& text) {
  return builder::render(checked.diagnostics, [&](const std::string&) { return std::string_view(text); });
}

}  // namespace

TEST_CASE("broken definitions give their findings") {
  const bool update = std::getenv("MAPFLOW_UPDATE_EXPECTED") != nullptr;
  const auto files = broken_files();
  CHECK(files.size() >= 150);
  for (const fs::path& file : files) {
    INFO(file.filename().string());
    const std::string text = test::file_text(file);
    const auto checked = checked_file(file, text);
    CHECK(!checked.diagnostics.empty());
    const std::string found = rendered(checked, text);
    fs::path expected = file;
    expected += ".expected";
    if (update) std::ofstream(expected, std::ios::binary) << found;
    CHECK(found == test::file_text(expected));
  }
}

TEST_CASE("every finding has a place inside its file") {
  for (const fs::path& file : broken_files()) {
    const std::string text = test::file_text(file);
    const auto lines = static_cast<std::uint32_t>(std::ranges::count(text, '\n') + 1);
    for (const Diagnostic& each : checked_file(file, text).diagnostics) {
      INFO(each.to_string());
      CHECK(each.where.file == file.filename());
      CHECK(each.where.line >= 1);
      CHECK(each.where.line <= lines + 1);  // the end of the text is a place too
      CHECK(each.where.column >= 1);
    }
  }
}

TEST_CASE("each code of the builder is shown by a broken definition") {
  std::set<std::string> seen;
  for (const fs::path& file : broken_files())
    for (const Diagnostic& each : checked_file(file, test::file_text(file)).diagnostics) seen.insert(each.code);
  for (const builder::CodeEntry& entry : builder::code_table()) {
    const std::string code(entry.number);
    // The kinds' own codes are shown where the kinds are tested; includes need files; formatting is not checking.
    const bool of_a_kind = (code >= "MF0210" && code <= "MF0219") || (code >= "MF0227" && code <= "MF0229");
    if (of_a_kind || code == builder::mf::include_cycle || code == builder::mf::cannot_format) continue;
    CHECK_MESSAGE(seen.contains(code), code);
  }
}
