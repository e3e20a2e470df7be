#include "cli/jinja_repl.h"

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <iterator>

#include "cli/template_error.h"
#include "value/json.h"

namespace mapflow::cli {

namespace {

constexpr std::string_view kHelp =
    "An expression prints its value; a line with {{ }} or {% %} prints what it renders to.\n"
    "  :set NAME = EXPRESSION   gives a name a value\n"
    "  :names                   the names there are\n"
    "  :filters  :tests         what can stand behind | and is\n"
    "  :quit                    or Ctrl-D";

std::string_view trimmed(std::string_view text) {
  const auto blank = [](char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

bool of_name(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : " ") + name;
  return text;
}

/// The part of `line` at its end that is being typed: "order.li", without what stands before it.
std::size_t word_start(std::string_view line) {
  std::size_t start = line.size();
  while (start > 0 && (of_name(line[start - 1]) || line[start - 1] == '.' || line[start - 1] == ':')) --start;
  return start;
}

std::vector<std::string> members_of(const Value& value) {
  std::vector<std::string> names;
  if (value.is_object())
    for (const auto& [name, member] : value.as_object()) names.emplace_back(name.view());
  return names;
}

}  // namespace

Result<Value> JinjaRepl::evaluate(std::string_view expression) const {
  MAPFLOW_ASSIGN(const auto compiled, environment_.compile_expression(expression));
  return compiled.evaluate(jinja::ValueScope(data_));
}

Result<std::string> JinjaRepl::command(std::string_view line) {
  const std::string_view name = line.substr(0, line.find(' '));
  const std::string_view rest = trimmed(line.substr(name.size()));
  if (name == ":set") {
    const std::size_t equals = rest.find('=');
    const std::string_view target = trimmed(rest.substr(0, equals));
    if (equals == std::string_view::npos || target.empty() || !std::ranges::all_of(target, of_name))
      return fail(code::invalid_input, "write  :set NAME = EXPRESSION");
    MAPFLOW_ASSIGN(Value value, evaluate(rest.substr(equals + 1)));
    data_.set(target, std::move(value));
    return std::string();
  }
  if (name == ":names") return joined(members_of(data_));
  if (name == ":filters") return joined(environment_.filter_names());
  if (name == ":tests") return joined(environment_.test_names());
  if (name == ":help") return std::string(kHelp);
  return fail(code::invalid_input, "no command '" + std::string(name) + "'", "try :help");
}

Result<std::string> JinjaRepl::answer(std::string_view line) {
  line = trimmed(line);
  if (line.empty()) return std::string();
  if (line.front() == ':') return command(line);
  if (line.contains("{{") || line.contains("{%") || line.contains("{#")) {
    MAPFLOW_ASSIGN(const auto compiled, environment_.compile(line));
    return compiled.render(jinja::ValueScope(data_));
  }
  MAPFLOW_ASSIGN(const Value value, evaluate(line));
  return to_json_pretty(value);
}

std::vector<std::string> JinjaRepl::completions(std::string_view line) const {
  const std::size_t start = word_start(line);
  const std::string_view word = line.substr(start);
  const std::string_view before = trimmed(line.substr(0, start));
  std::vector<std::string> known;
  std::string prefix;
  if (word.starts_with(":")) {
    known = {":set", ":names", ":filters", ":tests", ":help", ":quit"};
  } else if (const std::size_t dot = word.rfind('.'); dot != std::string_view::npos) {
    prefix = std::string(word.substr(0, dot + 1));
    if (const Value* value = data_.find_path(word.substr(0, dot))) known = members_of(*value);
  } else if (before.ends_with("|")) {
    known = environment_.filter_names();
  } else if (before == "is" || before.ends_with(" is") || before.ends_with(" is not")) {
    known = environment_.test_names();
  } else {
    known = members_of(data_);
    std::ranges::copy(environment_.global_names(), std::back_inserter(known));
  }
  std::vector<std::string> fitting;
  for (const std::string& name : known)
    if ((prefix + name).starts_with(word)) fitting.push_back(prefix + name);
  std::ranges::sort(fitting);
  return fitting;
}

ExitCode JinjaRepl::run_script(Console& console) {
  ExitCode code = ExitCode::success;
  std::string line;
  for (int c = std::getchar();; c = std::getchar()) {
    if (c != EOF && c != '\n') {
      line += static_cast<char>(c);
      continue;
    }
    const auto text = answer(line);
    if (!text) {
      print_template_error(console, text.error(), false);
      code = ExitCode::failed;
    } else if (!text->empty()) {
      console.out.line(*text);
    }
    line.clear();
    if (c == EOF) return code;
  }
}

}  // namespace mapflow::cli
