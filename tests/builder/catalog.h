// A small catalog of kinds for the builder's tests: every field type, and nothing that runs.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "builder/reader.h"
#include "builder/validator.h"
#include "model/kind_schema.h"

namespace mapflow::test {

const KindCatalog& catalog();

/// Files that live in memory.
class Files final : public builder::FileSource {
 public:
  explicit Files(std::map<std::string, std::string> texts) : texts_(std::move(texts)) {}
  Result<std::string> read(const std::string& path) const override {
    const auto found = texts_.find(path);
    if (found == texts_.end()) return fail(code::not_found, "there is no such file");
    return found->second;
  }

 private:
  std::map<std::string, std::string> texts_;
};

/// Reads and validates a text as a person would have it: all findings, sorted, without repetitions.
struct Checked {
  std::vector<Definition> definitions;
  Diagnostics diagnostics;
  const Definition& main() const { return definitions.at(0); }
  /// "12:3 MF0201, w 13:4 MF0304": each finding, warnings with a w in front.
  std::string codes() const;
};
Checked check_text(std::string_view text, const std::string& file = "flow.yaml", const builder::FileSource* files = nullptr,
                   const builder::Surroundings& around = {});

/// The main definition of a text that must be without errors.
Definition read_sound(std::string_view text);

/// All findings of a text as lines, for failure messages.
std::string lines_of(const Diagnostics& diagnostics);

std::string file_text(const std::string& path);

}  // namespace mapflow::test
