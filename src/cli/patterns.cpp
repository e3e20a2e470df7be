#include <filesystem>

#include "cli/files.h"
#include "cli/text.h"
#include "cli/verbs.h"
#include "patterns/patterns.h"

namespace mapflow::cli {

namespace {

namespace fs = std::filesystem;

Value to_value(const patterns::Pattern& pattern) {
  Value parameters(Array{}), run(Array{});
  for (const patterns::Parameter& each : pattern.parameters)
    parameters.push_back(object({{"name", each.name}, {"type", patterns::to_string(each.type)}, {"default", each.standard}, {"doc", each.doc}}));
  for (const std::string& word : pattern.run) run.push_back(word);
  return object({{"name", pattern.name}, {"title", pattern.title}, {"summary", pattern.summary}, {"parameters", std::move(parameters)}, {"run", std::move(run)}});
}

/// "mapflow run workflow.yaml -i 'decision={"approved":true}'".
std::string run_command(const patterns::Pattern& pattern) {
  std::string command = "mapflow run workflow.yaml";
  for (const std::string& word : pattern.run) command += " " + shell_quoted(word);
  return command;
}

void describe(const patterns::Pattern& pattern, Stream& out) {
  out.line(out.paint(Color::bold, pattern.title) + ": " + pattern.summary);
  out.line();
  Table table({"parameter", "type", "default", "meaning"});
  for (const patterns::Parameter& each : pattern.parameters)
    table.row({each.name, std::string(patterns::to_string(each.type)), each.standard, each.doc});
  for (const std::string& line : table.lines(out)) out.line(line);
  out.line();
  out.line("mapflow new " + pattern.name + " DIR --set " + pattern.parameters.back().name + "=" + pattern.parameters.back().standard);
}

Result<patterns::Settings> read_settings(const std::vector<std::string>& assignments) {
  patterns::Settings settings;
  for (const std::string& each : assignments) {
    const std::size_t equals = each.find('=');
    if (equals == std::string::npos || equals == 0) return fail(code::invalid_input, "--set wants NAME=VALUE, not '" + each + "'");
    settings[each.substr(0, equals)] = each.substr(equals + 1);
  }
  return settings;
}

/// Writes all files or, when one of them is there already, none.
Status write_project(const fs::path& folder, const std::vector<patterns::File>& files) {
  std::error_code failed;
  for (const patterns::File& file : files)
    if (fs::exists(folder / file.path, failed))
      return fail(code::conflict, "'" + (folder / file.path).string() + "' is there already, and nothing was written", "name another folder: mapflow new PATTERN DIR");
  for (const patterns::File& file : files) {
    const fs::path path = folder / file.path;
    fs::create_directories(path.parent_path(), failed);
    if (failed) return fail(code::unavailable, "cannot make the folder '" + path.parent_path().string() + "': " + failed.message());
    MAPFLOW_TRY(write_text(path.string(), file.text));
  }
  return {};
}

}  // namespace

ExitCode execute(const PatternsOptions& options, Console& console) {
  if (!options.pattern.empty()) {
    const auto pattern = patterns::find(options.pattern);
    if (!pattern) return refuse(console, pattern.error(), options.json);
    if (options.json) console.document(to_value(**pattern));
    else describe(**pattern, console.out);
    return ExitCode::success;
  }
  if (options.json) {
    Value all(Array{});
    for (const patterns::Pattern& each : patterns::all()) all.push_back(to_value(each));
    console.document(all);
    return ExitCode::success;
  }
  Table table({"pattern", "what it is"});
  for (const patterns::Pattern& each : patterns::all()) table.row({each.name, each.summary});
  for (const std::string& line : table.lines(console.out)) console.out.line(line);
  console.out.line();
  console.out.line("`mapflow patterns PATTERN` tells its parameters, `mapflow new PATTERN DIR` begins a project with it");
  return ExitCode::success;
}

ExitCode execute(const NewOptions& options, Console& console) {
  const auto settings = read_settings(options.settings);
  if (!settings) return refuse(console, settings.error(), false);
  const auto files = patterns::project(options.pattern, *settings);
  if (!files) return refuse(console, files.error(), false);
  const fs::path folder = options.folder.empty() ? fs::path(".") : fs::path(options.folder);
  if (const Status written = write_project(folder, *files); !written) return refuse(console, written.error(), false);
  for (const patterns::File& file : *files) console.out.line((folder / file.path).lexically_normal().string());
  console.out.line();
  if (!options.folder.empty()) console.out.line("  cd " + shell_quoted(options.folder));
  console.out.line("  mapflow test");
  console.out.line("  " + run_command(**patterns::find(options.pattern)));
  return ExitCode::success;
}

}  // namespace mapflow::cli
