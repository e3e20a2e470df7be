#include "patterns/patterns.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/ensure.h"
#include "base/time.h"
#include "model/diagnostic.h"
#include "patterns/embedded.h"
#include "value/json.h"

namespace mapflow::patterns {

namespace {

constexpr std::string_view kHead = "pattern.json";
constexpr std::array<std::string_view, 4> kTypes{"id", "count", "number", "duration"};

/// A literal of the program's own, so anything wrong with it is a bug.
const Value& member(const Value& object, std::string_view name) {
  const Value* const found = object.find(name);
  ensure(found != nullptr, "a pattern's head is complete");
  return *found;
}
std::string text_of(const Value& object, std::string_view name) { return std::string(member(object, name).as_text()); }

Pattern read(std::string_view name, std::string_view head_text) {
  const auto head = parse_json(head_text);
  ensure(head.has_value(), "a pattern's head is JSON");
  Pattern pattern{std::string(name), text_of(*head, "title"), text_of(*head, "summary"), {}, {}};
  pattern.parameters.push_back({"id", ParameterType::id, pattern.name, "the workflow's id"});
  for (const auto& [parameter, said] : member(*head, "parameters").as_object()) {
    const auto type = std::ranges::find(kTypes, member(said, "type").as_text());
    ensure(type != kTypes.end(), "a parameter's type is known");
    const Value& standard = member(said, "default");
    pattern.parameters.push_back({std::string(parameter.view()), static_cast<ParameterType>(type - kTypes.begin()),
                                  standard.is_text() ? std::string(standard.as_text()) : to_json(standard), text_of(said, "doc")});
  }
  for (const Value& word : member(*head, "run").as_array()) pattern.run.emplace_back(word.as_text());
  return pattern;
}

Status check(const Parameter& parameter, const std::string& value) {
  const auto refuse = [&](std::string_view wanted) {
    return fail(code::invalid_input, "parameter '" + parameter.name + "' must be " + std::string(wanted) + ", not '" + value + "'", parameter.doc);
  };
  const char* const end = value.data() + value.size();
  switch (parameter.type) {
    case ParameterType::id: {
      constexpr std::size_t kLongest = 100;
      const auto fits = [](unsigned char c) { return std::isalnum(c) || c == '_' || c == '-'; };
      if (value.empty() || value.size() > kLongest || !std::isalpha(static_cast<unsigned char>(value.front())) || !std::ranges::all_of(value, fits))
        return refuse("a name of letters, digits, - and _");
      return {};
    }
    case ParameterType::count: {
      std::uint32_t count = 0;
      const auto read = std::from_chars(value.data(), end, count);
      if (read.ec != std::errc() || read.ptr != end || count < 1 || count > 1'000'000) return refuse("a whole number from 1 to 1000000");
      return {};
    }
    case ParameterType::number: {
      double number = 0;
      const auto read = std::from_chars(value.data(), end, number, std::chars_format::fixed);
      if (read.ec != std::errc() || read.ptr != end) return refuse("a number");
      return {};
    }
    case ParameterType::duration: {
      const auto span = parse_duration(value);
      if (!span || *span <= Duration(0)) return refuse("a duration like 250ms, 10s, 5m, 2h, 1d");
      return {};
    }
  }
  return {};
}

/// What every parameter is worth.
Result<Settings> settle(const Pattern& pattern, const Settings& settings) {
  Settings values;
  std::vector<std::string> names;
  for (const Parameter& parameter : pattern.parameters) {
    names.push_back(parameter.name);
    const auto given = settings.find(parameter.name);
    if (given != settings.end()) MAPFLOW_TRY(check(parameter, given->second));
    values[parameter.name] = given == settings.end() ? parameter.standard : given->second;
  }
  for (const auto& [name, value] : settings)
    if (!values.contains(name)) {
      std::string hint = did_you_mean(name, names);
      if (hint.empty()) hint = "`mapflow patterns " + pattern.name + "` tells its parameters";
      return fail(code::invalid_input, "pattern '" + pattern.name + "' has no parameter '" + name + "'", std::move(hint));
    }
  return values;
}

/// `@name@` of what is a parameter; any other @ stays.
std::string filled(std::string_view text, const Settings& values) {
  std::string out;
  while (true) {
    const std::size_t begin = text.find('@');
    const std::size_t end = begin == std::string_view::npos ? begin : text.find('@', begin + 1);
    if (end == std::string_view::npos) return out + std::string(text);
    const auto value = values.find(text.substr(begin + 1, end - begin - 1));
    const std::size_t through = value == values.end() ? end : end + 1;
    out += value == values.end() ? text.substr(0, end) : text.substr(0, begin);
    if (value != values.end()) out += value->second;
    text.remove_prefix(through);
  }
}

}  // namespace

std::string_view to_string(ParameterType type) { return kTypes[static_cast<std::size_t>(type)]; }

const std::vector<Pattern>& all() {
  static const std::vector<Pattern> patterns = [] {
    std::vector<Pattern> read_ones;
    for (const EmbeddedFile& file : embedded_files()) {
      const std::size_t slash = file.path.find('/');
      if (file.path.substr(slash + 1) == kHead) read_ones.push_back(read(file.path.substr(0, slash), file.text));
    }
    return read_ones;
  }();
  return patterns;
}

Result<const Pattern*> find(std::string_view name) {
  const auto found = std::ranges::find(all(), name, &Pattern::name);
  if (found != all().end()) return &*found;
  std::vector<std::string> names;
  for (const Pattern& each : all()) names.push_back(each.name);
  std::string hint = did_you_mean(name, names);
  if (hint.empty()) hint = "`mapflow patterns` tells all of them";
  return fail(code::not_found, "there is no pattern '" + std::string(name) + "'", std::move(hint));
}

Result<std::vector<File>> project(std::string_view name, const Settings& settings) {
  MAPFLOW_ASSIGN(const Pattern* const pattern, find(name));
  MAPFLOW_ASSIGN(const Settings values, settle(*pattern, settings));
  std::vector<File> files;
  for (const EmbeddedFile& file : embedded_files()) {
    const std::size_t slash = file.path.find('/');
    const std::string_view path = file.path.substr(slash + 1);
    if (file.path.substr(0, slash) == name && path != kHead) files.push_back({std::string(path), filled(file.text, values)});
  }
  return files;
}

}  // namespace mapflow::patterns
