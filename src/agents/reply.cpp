#include "agents/reply.h"

#include <fmt/format.h>

#include "value/json.h"

namespace mapflow::agents {

Reply make_reply(Value result) {
  Reply reply;
  reply.usage = usage_in(result);
  reply.result = std::move(result);
  return reply;
}

Result<Reply> read_reply(std::string_view agent, std::string_view text) {
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos)
    return fail(code::invalid_output, fmt::format("agent '{}' answered nothing where one JSON document is due", agent));
  auto parsed = parse_json(text);
  if (!parsed)
    return fail(code::invalid_output,
                fmt::format("agent '{}' did not answer one JSON document: {} (line {}, column {}) in: {}", agent,
                            parsed.error().message, parsed.error().where.line, parsed.error().where.column,
                            excerpt(text, 200)));
  return make_reply(*std::move(parsed));
}

std::optional<Error> read_error(std::string_view text) {
  const auto parsed = parse_json(text);
  return parsed ? error_from_reply(*parsed) : std::nullopt;
}

std::unexpected<Error> cancelled_call() { return fail(code::cancelled, "the call was cancelled"); }

std::unexpected<Error> reply_too_large(std::string_view agent, std::size_t max_bytes) {
  auto error = fail(code::resource_exhausted,
                    fmt::format("agent '{}' answered more than the {} bytes that a reply may have", agent, max_bytes),
                    "let the agent store large data elsewhere and answer a reference to it");
  error.error().retryable = false;
  return error;
}

std::string excerpt(std::string_view text, std::size_t max_bytes) {
  if (text.size() <= max_bytes) return std::string(text);
  std::size_t end = max_bytes;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;  // not inside a UTF-8 sequence
  return fmt::format("{}…", text.substr(0, end));
}

}  // namespace mapflow::agents
