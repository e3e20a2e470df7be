// Links made of the addresses in a text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mapflow::jinja::detail {

struct UrlizeOptions {
  std::int64_t trim = -1;  ///< longest shown address, in characters; -1: any
  std::string rel;         ///< escaped already, as is target
  std::string target;
  std::vector<std::string> schemes;  ///< further schemes, such as "tel:"
};

bool is_scheme_prefix(std::string_view text);
/// The HTML of `text`, which is escaped already, with links.
std::string linked(std::string_view text, const UrlizeOptions& options);

}  // namespace mapflow::jinja::detail
