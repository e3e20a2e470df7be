#include "cli/bare_store.h"

#include <fmt/format.h>

#include <array>
#include <string_view>

namespace mapflow::cli {
namespace {

struct Kind {
  std::string_view scheme;
  Result<std::unique_ptr<BareStore>> (*make)(const std::string& url);
};

constexpr std::array kKinds = {
    Kind{"sqlite:", make_bare_sqlite},
    Kind{"postgres:", make_bare_postgres},
    Kind{"postgresql:", make_bare_postgres},
    Kind{"redis:", make_bare_redis},
};

}  // namespace

Result<std::unique_ptr<BareStore>> make_bare_store(const std::string& url) {
  for (const Kind& kind : kKinds)
    if (url.starts_with(kind.scheme)) return kind.make(url);
  return fail(code::invalid_input, "store-limit needs a store of the form sqlite:PATH, postgres://… or redis://…");
}

}  // namespace mapflow::cli
