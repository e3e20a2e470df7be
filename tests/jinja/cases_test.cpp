// The cases in cases/*.txt: templates, data, and what they render to or how they fail.
//
//   @data {"name": "ann"}        the data of the cases below
//   @options strict do           the environment of the cases below; see options_of()
//   @template mail               a template for include, import and extends, in the lines that follow
//   > Hello {{ nme }}!           a line of the template
//   < Hello ann!                 a line of the output; a line without its end is the last one
//   ! case.txt:1:10: …           a line of the error: where and what, then the source line and the caret
//
// Run with MAPFLOW_ACCEPT_CASES=1 to rewrite the expected lines; read the difference before you keep it.
#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "jinja/jinja.h"
#include "value/json.h"

using namespace mapflow;

namespace {

using Templates = std::map<std::string, std::string, std::less<>>;

class MapLoader final : public jinja::Loader {
 public:
  explicit MapLoader(Templates templates) : templates_(std::move(templates)) {}
  Result<std::string> load(std::string_view name) const override {
    const auto found = templates_.find(name);
    if (found == templates_.end()) return fail(code::not_found, "no such template");
    return found->second;
  }

 private:
  Templates templates_;
};

jinja::Options options_of(const std::string& words) {
  jinja::Options options;
  std::istringstream in(words);
  for (std::string word; in >> word;) {
    if (word == "strict")
      options.undefined = jinja::Undefined::strict;
    else if (word == "data_first")
      options.lookup = jinja::Lookup::data_first;
    else if (word == "trim_blocks")
      options.trim_blocks = true;
    else if (word == "lstrip_blocks")
      options.lstrip_blocks = true;
    else if (word == "keep_trailing_newline")
      options.keep_trailing_newline = true;
    else if (word == "autoescape")
      options.autoescape = true;
    else if (word == "do")
      options.extension_do = true;
    else if (word == "loopcontrols")
      options.extension_loop_controls = true;
    else
      FAIL("unknown option " << word);
  }
  return options;
}

struct Setting {
  Value data = object({});
  std::string options;
  Templates templates;
};

std::string prefixed(char mark, const std::string& text) {
  std::string out;
  std::istringstream lines(text);
  bool any = false;
  for (std::string line; std::getline(lines, line); any = true)
    out += std::string(1, mark) + (line.empty() ? "" : " ") + line + "\n";
  if (!any || text.ends_with('\n')) out += std::string(1, mark) + "\n";
  return out;
}

// What a case gives, as its expected lines are written.
std::string answer(const Setting& setting, const std::string& source) {
  jinja::Environment environment(options_of(setting.options));
  jinja::add_workflow_filters(environment);
  environment.set_loader(std::make_shared<MapLoader>(setting.templates));
  const auto failed = [](const Error& error) {
    const Value details = parse_json(error.details).value();
    return prefixed('!', error.to_string() + "\n" + std::string(details.find("source")->as_text()));
  };
  const auto compiled = environment.compile(source, {"case.txt", 1, 1});
  if (!compiled) return failed(compiled.error());
  const auto output = compiled->render(jinja::ValueScope(setting.data));
  return output ? prefixed('<', *output) : failed(output.error());
}

std::string without_mark(const std::string& line) { return line.size() > 2 ? line.substr(2) : std::string(); }

// Runs the cases of a file and gives its text with the expected lines as they are now.
std::string rerun(std::istream& in, const std::string& file) {
  Setting setting;
  std::string text, source, expected, name;
  std::size_t number = 0, first = 0;
  bool has_source = false;
  const auto finish = [&] {
    if (!has_source) return;
    while (source.ends_with('\n') && !setting.options.contains("keep_trailing_newline")) source.pop_back();
    if (!name.empty()) {
      setting.templates[name] = source;
    } else {
      const std::string now = answer(setting, source);
      CHECK_MESSAGE(now == expected, file << ":" << first << ": " << source << "\nexpected:\n"
                                          << expected << "is:\n"
                                          << now);
      text += now;
    }
    has_source = false;
    name.clear();
    source.clear();
    expected.clear();
  };
  for (std::string line; std::getline(in, line);) {
    ++number;
    const char mark = line.empty() ? '\0' : line[0];
    if (mark == '<' || mark == '!') {
      expected += line + "\n";
      continue;
    }
    if (mark == '>') {
      if (!expected.empty()) finish();
      if (!has_source) first = number;
      has_source = true;
      source += without_mark(line) + "\n";
    } else {
      finish();
      if (line.starts_with("@data ")) setting.data = parse_json(line.substr(6)).value();
      if (line.starts_with("@options")) setting.options = line.substr(8);
      if (line.starts_with("@template ")) name = line.substr(10);
    }
    text += line + "\n";
  }
  finish();
  return text;
}

}  // namespace

TEST_CASE("case files") {
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(MAPFLOW_SOURCE_DIR "/tests/jinja/cases")) {
    if (entry.path().extension() != ".txt") continue;
    ++files;
    std::ifstream in(entry.path());
    const std::string now = rerun(in, entry.path().filename());
    in.close();
    if (std::getenv("MAPFLOW_ACCEPT_CASES")) std::ofstream(entry.path()) << now;
  }
  CHECK(files > 5);
}
