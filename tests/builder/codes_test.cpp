// The table of codes, the sources that use them and the document that explains them say the same.
#include <doctest/doctest.h>

#include <filesystem>
#include <map>
#include <regex>
#include <set>
#include <string>

#include "builder/catalog.h"
#include "builder/codes.h"

using namespace mapflow;
namespace fs = std::filesystem;

namespace {

const fs::path kRoot = MAPFLOW_SOURCE_DIR;

std::set<std::string> table() {
  std::set<std::string> codes;
  for (const builder::CodeEntry& entry : builder::code_table()) CHECK_MESSAGE(codes.insert(std::string(entry.number)).second, entry.number);
  return codes;
}

}  // namespace

TEST_CASE("codes are in order") {
  std::string before;
  for (const builder::CodeEntry& entry : builder::code_table()) {
    CHECK(before < entry.number);
    CHECK(!entry.title.empty());
    before = entry.number;
  }
}

TEST_CASE("docs/diagnostics.md has one section for each code, under its title") {
  const std::string document = test::file_text(kRoot / "docs/diagnostics.md");
  std::map<std::string, std::string> sections;
  const std::regex heading("(^|\n)### (MF[0-9]{4}): ([^\n]*)");
  for (std::sregex_iterator each(document.begin(), document.end(), heading), end; each != end; ++each)
    CHECK_MESSAGE(sections.emplace((*each)[2], (*each)[3]).second, (*each)[2]);
  for (const builder::CodeEntry& entry : builder::code_table()) {
    const auto section = sections.find(std::string(entry.number));
    REQUIRE_MESSAGE(section != sections.end(), entry.number);
    CHECK(section->second == entry.title);
  }
  CHECK(sections.size() == builder::code_table().size());
}

TEST_CASE("every code that a step kind uses is in the table") {
  const std::set<std::string> known = table();
  const std::regex code("\"(MF[0-9]{4})\"");
  for (const auto& entry : fs::directory_iterator(kRoot / "src/steps")) {
    const std::string source = test::file_text(entry.path());
    for (std::sregex_iterator each(source.begin(), source.end(), code), end; each != end; ++each) {
      const std::string used = (*each)[1];
      CHECK_MESSAGE(known.contains(used), used << " in " << entry.path().filename().string());
    }
  }
}
