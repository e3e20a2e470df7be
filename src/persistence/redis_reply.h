// What a Redis server answers. With redis_reply.cpp and redis_command.cpp the only place that knows hiredis.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

struct redisReader;

namespace mapflow::persistence::redis {

struct Reply {
  enum class Kind : std::uint8_t { nothing, text, number, list, error };
  Kind kind = Kind::nothing;
  std::int64_t number = 0;
  std::string text;              ///< of an error: its code word, then its message
  std::vector<Reply> elements;

  bool is(Kind wanted) const { return kind == wanted; }
  /// A number, also one written as a text; 0 for anything else.
  std::int64_t to_number() const;
  std::uint64_t to_unsigned() const;
};

/// Cuts what comes over a connection into replies.
class ReplyReader {
 public:
  ReplyReader();
  ~ReplyReader();
  ReplyReader(const ReplyReader&) = delete;
  ReplyReader& operator=(const ReplyReader&) = delete;

  /// Errors: corrupt when the bytes are no replies, or one of them is beyond any sensible size.
  Status feed(std::string_view bytes);
  /// The next whole reply, if it has come. Errors: as of feed().
  Result<std::optional<Reply>> next();

 private:
  redisReader* const reader_;
  std::size_t fed_ = 0;  ///< bytes since the last whole reply
};

}  // namespace mapflow::persistence::redis
