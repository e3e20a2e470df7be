#include "cli/inputs.h"

#include "cli/files.h"
#include "value/json.h"

namespace mapflow::cli {

Status add_inputs(Value& input, const std::vector<std::string>& assignments) {
  for (const std::string& assignment : assignments) {
    const std::size_t equals = assignment.find('=');
    if (equals == std::string::npos || equals == 0)
      return fail(code::invalid_input, "'-i " + assignment + "' is not KEY=VALUE", "for example: -i order_id=A-17");
    const std::string key = assignment.substr(0, equals);
    const std::string text = assignment.substr(equals + 1);
    auto value = parse_json(text);
    if (auto set = input.set_path(key, value ? *value : Value(text)); !set)
      return fail(code::invalid_input, "'-i " + key + "=…' does not fit the input: " + set.error().message);
  }
  return {};
}

namespace {

Result<Value> read_json(const std::string& path) {
  MAPFLOW_ASSIGN(const std::string text, read_text(path));
  auto value = parse_json(text);
  if (value) return value;
  Error error = std::move(value).error();
  error.where.file = path == "-" ? "standard input" : path;
  return fail(std::move(error));
}

}  // namespace

Result<Value> read_object(const std::string& path) {
  auto value = read_json(path);
  if (!value) return value;
  if (!value->is_object()) {
    return fail(code::invalid_input, "'" + path + "' holds JSON of type " + std::string(to_string(value->type())) +
                                         ", not an object");
  }
  return value;
}

Result<Value> read_input(const std::string& path, const std::vector<std::string>& assignments, std::size_t most_bytes) {
  Value input;
  if (!path.empty()) {
    MAPFLOW_ASSIGN(input, read_object(path));
  }
  MAPFLOW_TRY(add_inputs(input, assignments));
  if (const std::size_t bytes = to_json(input).size(); bytes > most_bytes)
    return fail(code::invalid_input, "the input is " + std::to_string(bytes) + " bytes long, more than " + std::to_string(most_bytes),
                "write large data to a file and give its path");
  return input;
}

Result<Value> read_payload(const std::string& word, const std::string& path, const std::vector<std::string>& assignments) {
  if (!word.empty() + !path.empty() + !assignments.empty() > 1)
    return fail(code::invalid_input, "the value was given in several ways", "give one of: the value itself, --input, -i");
  if (!path.empty()) return read_json(path);
  if (!word.empty()) return parse_json(word).value_or(Value(word));
  Value value;
  MAPFLOW_TRY(add_inputs(value, assignments));
  return value;
}

}  // namespace mapflow::cli
