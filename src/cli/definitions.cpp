#include "cli/definitions.h"

#include <algorithm>
#include <filesystem>

#include "builder/reader.h"
#include "builder/render.h"
#include "builder/validator.h"
#include "cli/files.h"
#include "cli/text.h"

namespace mapflow::cli {

namespace {

/// The disk, remembering what was read so that diagnostics can show its lines.
class DiskSource final : public builder::FileSource {
 public:
  explicit DiskSource(std::map<std::string, std::string>& sources) : sources_(sources) {}
  Result<std::string> read(const std::string& path) const override {
    auto text = read_text(path);
    if (text) sources_[path] = *text;
    return text;
  }

 private:
  std::map<std::string, std::string>& sources_;
};

bool looks_like_definition(const std::filesystem::path& path) {
  const std::string ending = path.extension().string();
  return ending == ".yaml" || ending == ".yml" || ending == ".json";
}

/// The files that `--with` names: itself, or the definitions in a folder by name.
Result<std::vector<std::string>> files_of(const std::string& path) {
  std::error_code failed;
  if (!std::filesystem::is_directory(path, failed)) return std::vector{path};
  std::vector<std::string> files;
  for (auto entry = std::filesystem::directory_iterator(path, failed); !failed && entry != std::filesystem::directory_iterator();
       entry.increment(failed))
    if (entry->is_regular_file(failed) && looks_like_definition(entry->path())) files.push_back(entry->path().string());
  if (failed) return fail(code::not_found, "cannot read the folder '" + path + "': " + failed.message());
  std::ranges::sort(files);
  return files;
}

bool same_file(const std::string& a, const std::string& b) {
  std::error_code failed;
  return std::filesystem::equivalent(a, b, failed) && !failed;
}

class Loader {
 public:
  Loader(LoadedDefinitions& loaded, const KindCatalog& kinds) : loaded_(loaded), source_(loaded.sources), kinds_(kinds) {}

  void read(const std::string& file) {
    const auto text = source_.read(file);
    if (!text) return refuse(text.error());
    builder::ReadResult read = builder::read_definitions(*text, file, kinds_, &source_);
    for (Definition& definition : read.definitions) add(std::move(definition));
    std::ranges::move(read.diagnostics, std::back_inserter(loaded_.diagnostics));
  }
  void refuse(const Error& error) {
    loaded_.diagnostics.push_back({.severity = Severity::error, .where = error.where, .message = error.message, .hint = error.hint});
  }

 private:
  /// A file may be reached twice: by an include and by --with.
  void add(Definition definition) {
    const auto known = std::ranges::find(loaded_.definitions, definition.id, &Definition::id);
    if (known != loaded_.definitions.end() && same_file(known->file, definition.file)) return;
    loaded_.definitions.push_back(std::move(definition));
  }

  LoadedDefinitions& loaded_;
  DiskSource source_;
  const KindCatalog& kinds_;
};

}  // namespace

LoadedDefinitions load_definitions(const std::string& file, const std::vector<std::string>& with, const KindCatalog& kinds,
                                   const std::vector<std::string>& elsewhere) {
  LoadedDefinitions loaded;
  Loader loader(loaded, kinds);
  if (!file.empty()) loader.read(file);
  for (const std::string& path : with) {
    const auto files = files_of(path);
    if (!files) {
      loader.refuse(files.error());
      continue;
    }
    for (const std::string& each : *files)
      if (file.empty() || !same_file(each, file)) loader.read(each);
  }
  std::ranges::move(builder::validate(loaded.definitions, kinds, {.workflows = elsewhere, .agents_known = true}), std::back_inserter(loaded.diagnostics));
  builder::sort_diagnostics(loaded.diagnostics);
  // Whoever runs them may do so in another folder.
  for (Definition& definition : loaded.definitions)
    definition.file = std::filesystem::absolute(definition.file).lexically_normal().string();
  return loaded;
}

void print_diagnostics(Stream& stream, const LoadedDefinitions& loaded) {
  const auto source_of = [&loaded](const std::string& file) {
    const auto source = loaded.sources.find(file);
    return source == loaded.sources.end() ? std::string_view() : std::string_view(source->second);
  };
  stream.write(printable_lines(builder::render(loaded.diagnostics, source_of)));
}

}  // namespace mapflow::cli
