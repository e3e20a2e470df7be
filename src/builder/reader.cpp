#include "builder/reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "builder/codes.h"
#include "builder/reading.h"
#include "builder/render.h"
#include "builder/shape.h"

namespace mapflow::builder {

namespace {

constexpr std::size_t kMostFiles = 1000;

class LibraryReader {
 public:
  LibraryReader(const KindCatalog& kinds, const FileSource* files, const DocumentLimits& limits)
      : kinds_(kinds), files_(files), limits_(limits) {}

  ReadResult run(std::string_view text, const std::string& file) {
    seen_.insert(resolve_path("", file));
    read_text(text, file);
    if (out_.definitions.empty() && !has_errors(out_.diagnostics))
      out_.diagnostics.push_back({Severity::error, std::string(mf::no_definition), {file, 1, 1}, "there is no definition in this file", {}});
    check_ids_of_library();
    sort_diagnostics(out_.diagnostics);
    return std::move(out_);
  }

 private:
  void read_text(std::string_view text, const std::string& file) {
    open_.push_back(resolve_path("", file));
    ParsedText parsed = parse_documents(text, file, limits_);
    std::ranges::move(parsed.diagnostics, std::back_inserter(out_.diagnostics));
    const std::size_t first = out_.definitions.size();
    for (Document& document : parsed.documents) {
      Reading reading(document, kinds_, out_.diagnostics);
      if (auto definition = read_workflow(reading, document.root())) {
        check_shape(*definition, kinds_, out_.diagnostics);
        out_.definitions.push_back(*std::move(definition));
      }
    }
    for (std::size_t i = first, last = out_.definitions.size(); i < last; ++i) include_all(i);
    open_.pop_back();
  }

  void include_all(std::size_t index) {
    // By index and by value: reading a file makes the list of definitions grow.
    const std::vector<std::string> paths = out_.definitions[index].include;
    const Location where = out_.definitions[index].place("include");
    for (const std::string& path : paths) include(path, where);
  }

  void include(const std::string& path, const Location& where) {
    const std::string resolved = resolve_path(where.file, path);
    if (std::ranges::find(open_, resolved) != open_.end())
      return report(mf::include_cycle, where, fmt::format("'{}' includes itself, by way of '{}'", resolved, open_.back()));
    if (seen_.contains(resolved)) return;  // two files may share a third
    if (seen_.size() >= kMostFiles) return report(mf::include_failed, where, fmt::format("more than {} files", kMostFiles));
    seen_.insert(resolved);
    if (!files_) return report(mf::include_failed, where, fmt::format("'{}' cannot be included here", path), "send the included definitions by themselves");
    const auto text = files_->read(resolved);
    if (!text) return report(mf::include_failed, where, fmt::format("cannot read '{}': {}", resolved, text.error().message));
    read_text(*text, resolved);
  }

  void check_ids_of_library() {
    std::map<std::string, const Definition*> known;
    for (const Definition& definition : out_.definitions) {
      if (definition.id.empty()) continue;
      const auto [first, fresh] = known.emplace(definition.id, &definition);
      if (!fresh && first->second->version == definition.version)
        report(mf::duplicate_workflow, definition.place("id"),
               fmt::format("there is already a workflow '{}' of version {} at {}", definition.id, definition.version, first->second->place("id").to_string()));
    }
  }

  void report(std::string_view code, const Location& where, std::string message, std::string hint = {}) {
    out_.diagnostics.push_back({Severity::error, std::string(code), where, std::move(message), std::move(hint)});
  }

  const KindCatalog& kinds_;
  const FileSource* files_;
  DocumentLimits limits_;
  ReadResult out_;
  std::vector<std::string> open_;  // files being read, outermost first
  std::set<std::string> seen_;
};

}  // namespace

ReadResult read_definitions(std::string_view text, const std::string& file, const KindCatalog& kinds, const FileSource* files,
                            const DocumentLimits& limits) {
  return LibraryReader(kinds, files, limits).run(text, file);
}

ReadResult read_definition(const Value& value, const KindCatalog& kinds) {
  ReadResult out;
  Document document = Document::of(value, "");
  Reading reading(document, kinds, out.diagnostics);
  if (auto definition = read_workflow(reading, document.root())) {
    check_shape(*definition, kinds, out.diagnostics);
    out.definitions.push_back(*std::move(definition));
  }
  return out;
}

std::string resolve_path(std::string_view from, std::string_view path) {
  std::string whole;
  if (!path.starts_with('/')) {
    const auto slash = from.rfind('/');
    if (slash != std::string_view::npos) whole = from.substr(0, slash + 1);
  }
  whole += path;
  std::vector<std::string_view> parts;
  for (std::string_view rest = whole; !rest.empty();) {
    const auto slash = rest.find('/');
    const std::string_view part = rest.substr(0, slash);
    rest = slash == std::string_view::npos ? std::string_view() : rest.substr(slash + 1);
    if (part.empty() || part == ".") continue;
    if (part == ".." && !parts.empty() && parts.back() != "..") parts.pop_back();
    else if (part != ".." || !whole.starts_with('/')) parts.push_back(part);
  }
  return fmt::format("{}{}", whole.starts_with('/') ? "/" : "", fmt::join(parts, "/"));
}

}  // namespace mapflow::builder
