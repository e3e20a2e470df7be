// What an agent sent back as text, read the same way for every transport.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "model/message.h"

namespace mapflow::agents {

/// The result of a call from one JSON document. A top-level `usage` object is also read into Reply::usage; the result
/// keeps it. Errors: invalid_output (not retried) when the text is not exactly one JSON document.
Result<Reply> read_reply(std::string_view agent, std::string_view text);

/// The same for a value that is JSON already.
Reply make_reply(Value result);

/// The error that a body holds, as `{"error": {…}}`; nullopt when the text is anything else.
std::optional<Error> read_error(std::string_view text);

/// What a call that was given up answers.
std::unexpected<Error> cancelled_call();
/// What a call answers when the agent sent more than `max_bytes`. Not retried: the next answer would be as large.
std::unexpected<Error> reply_too_large(std::string_view agent, std::size_t max_bytes);

/// At most `max_bytes` of the front of a text, cut between characters, for messages.
std::string excerpt(std::string_view text, std::size_t max_bytes);

}  // namespace mapflow::agents
