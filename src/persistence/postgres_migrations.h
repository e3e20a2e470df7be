// The numbered changes that make a PostgreSQL schema what this program needs.
#pragma once

#include <span>
#include <string_view>

namespace mapflow::persistence::postgres {

struct Migration {
  int number;
  std::string_view what;
  std::span<const std::string_view> statements;  ///< "@" stands for the schema
};

/// In order, each applied once, never edited after a release. Tables and functions may change with any of them; the
/// views named mapflow_… are what people may rely on.
std::span<const Migration> migrations();

}  // namespace mapflow::persistence::postgres
