// Definitions of any bytes: reading, checking, printing and formatting end, with what they promise about each other.
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string_view>

#include "builder/formatter.h"
#include "builder/printer.h"
#include "builder/reader.h"
#include "builder/render.h"
#include "builder/validator.h"
#include "steps/registry.h"

using namespace mapflow;

namespace {

/// Smaller than the real bounds, so that a run looks at many texts.
constexpr builder::DocumentLimits kLimits{.max_bytes = 1u << 16, .max_depth = 250, .max_nodes = 100'000};

void demand(bool holds) {
  if (!holds) std::abort();
}

void one(std::string_view text, const KindCatalog& kinds) {
  builder::ReadResult read = builder::read_definitions(text, "fuzz.yaml", kinds, nullptr, kLimits);
  Diagnostics found = builder::validate(read.definitions, kinds);
  found.insert(found.end(), read.diagnostics.begin(), read.diagnostics.end());
  builder::sort_diagnostics(found);
  builder::render(found, [&](const std::string&) { return text; });
  builder::to_value(found);

  // What reads without errors is printed, read back and still the same.
  if (!has_errors(read.diagnostics)) {
    for (const Definition& definition : read.definitions) {
      const builder::ReadResult again = builder::read_definition(builder::to_document(definition), kinds);
      demand(!has_errors(again.diagnostics) && again.definitions.size() == 1);
      demand(builder::content_hash(again.definitions.front()) == builder::content_hash(definition));
    }
  }

  // Formatting either leaves the text alone or gives one that formatting leaves alone.
  const builder::FormatResult formatted = builder::format_text(text, "fuzz.yaml", kinds);
  if (!has_errors(formatted.diagnostics)) {
    const builder::FormatResult twice = builder::format_text(formatted.text, "fuzz.yaml", kinds);
    demand(!has_errors(twice.diagnostics) && twice.text == formatted.text);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  static const std::unique_ptr<const kernel::KindRegistry> kKinds = steps::make_registry();
  one({reinterpret_cast<const char*>(bytes), size}, *kKinds);
  return 0;
}
