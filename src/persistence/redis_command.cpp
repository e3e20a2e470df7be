#include "persistence/redis_command.h"

#include <hiredis/hiredis.h>

#include <utility>

#include "base/ensure.h"
#include "persistence/redis_scripts.h"

namespace mapflow::persistence::redis {

Command::Command(const Script& script, std::vector<std::string> keys) {
  view("EVALSHA").view(script.sha()).add(keys.size());
  for (std::string& key : keys) add(std::move(key));
}

void Command::append_to(std::string& out) const {
  std::vector<const char*> words;
  std::vector<std::size_t> sizes;
  for (const std::string_view word : words_) {
    words.push_back(word.data() ? word.data() : "");
    sizes.push_back(word.size());
  }
  sds text = nullptr;
  const int size = redisFormatSdsCommandArgv(&text, static_cast<int>(words.size()), words.data(), sizes.data());
  ensure(size >= 0, "out of memory");
  out.append(text, static_cast<std::size_t>(size));
  redisFreeSdsCommand(text);
}

}  // namespace mapflow::persistence::redis
