#include "persistence/listing.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace mapflow::persistence {

std::string format_cursor(const InstanceRow& last) { return fmt::format("{}:{}", to_micros(last.created), last.id); }

Result<ListCursor> parse_cursor(std::string_view text) {
  std::int64_t micros = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, problem] = std::from_chars(text.data(), end, micros);
  if (problem != std::errc() || rest == end || *rest != ':')
    return fail(code::invalid_input, fmt::format("'{}' is not a cursor of this list", text),
                "leave the cursor out to start at the newest instance");
  return ListCursor{from_micros(micros), std::string(rest + 1, end)};
}

bool matches(const InstanceRow& row, const ListQuery& query) {
  return (query.workflow.empty() || row.workflow == query.workflow) &&
         (query.state.empty() || row.state == query.state) &&
         (query.tag.empty() || std::ranges::find(row.tags, query.tag) != row.tags.end()) &&
         (query.text.empty() || row.id.find(query.text) != std::string::npos ||
          row.correlation_id.find(query.text) != std::string::npos);
}

}  // namespace mapflow::persistence
