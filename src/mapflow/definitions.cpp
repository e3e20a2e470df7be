#include "mapflow/definitions.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>

#include "agents/factory.h"
#include "builder/reader.h"
#include "builder/render.h"
#include "builder/validator.h"
#include "fluent/draft.h"
#include "value/json.h"

namespace mapflow {

namespace {

/// The disk, remembering what was read so that diagnostics can show its lines.
class Disk final : public builder::FileSource {
 public:
  Result<std::string> read(const std::string& path) const override {
    std::error_code failed;
    if (!std::filesystem::exists(path, failed)) return fail(code::not_found, "cannot read '" + path + "': no such file");
    std::ifstream in(path, std::ios::binary);
    std::string text{std::istreambuf_iterator<char>(in), {}};
    if (!in) return fail(code::invalid_input, "cannot read '" + path + "'");
    return texts_[path] = std::move(text);
  }
  std::string_view text(const std::string& path) const { return texts_[path]; }

 private:
  mutable std::map<std::string, std::string> texts_;
};

Result<std::vector<Definition>> read(std::string_view text, const std::string& file, const KindCatalog& kinds, const Disk* disk) {
  builder::ReadResult read = builder::read_definitions(text, file, kinds, disk);
  std::ranges::move(builder::validate(read.definitions, kinds), std::back_inserter(read.diagnostics));
  builder::sort_diagnostics(read.diagnostics);
  if (!has_errors(read.diagnostics)) return std::move(read.definitions);
  const auto source = [&](const std::string& name) { return disk && name != file ? disk->text(name) : text; };
  Error error(code::invalid_input, builder::render(read.diagnostics, source));
  error.details = to_json(builder::to_value(read.diagnostics));
  return fail(std::move(error));
}

}  // namespace

Result<std::vector<Definition>> read_definition_file(const std::string& path) { return read_definition_file(path, fluent::built_in_kinds()); }

Result<std::vector<Definition>> read_definition_file(const std::string& path, const KindCatalog& kinds) {
  const Disk disk;
  MAPFLOW_ASSIGN(const std::string text, disk.read(path));
  return read(text, path, kinds, &disk);
}

Result<std::vector<Definition>> read_definition_text(std::string_view text) { return read_definition_text(text, fluent::built_in_kinds()); }

Result<std::vector<Definition>> read_definition_text(std::string_view text, const KindCatalog& kinds) { return read(text, "", kinds, nullptr); }

std::shared_ptr<engine::AgentFactory> all_transports() { return agents::make_agent_factory(); }

}  // namespace mapflow
