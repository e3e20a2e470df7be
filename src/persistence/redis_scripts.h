// The functions that run inside the Redis server, each atomic: nobody sees half of what it does.
#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>

namespace mapflow::persistence::redis {

class Script {
 public:
  explicit Script(std::string lua);
  std::string_view lua() const { return lua_; }
  /// By this name the server knows it, once it was loaded.
  std::string_view sha() const { return sha_; }

 private:
  std::string lua_;
  std::string sha_;
};

/// Keys are those of redis_keys.h; P stands for a partition's own key.
struct Scripts {
  Script write_commits;     ///< P … : see redis_batch.h
  Script make_partition;    ///< P : makes it unless it is there
  Script take;              ///< P : old epoch, expires, released; new epoch, node, expires -> whether it was still so
  Script renew;             ///< P : epoch, expires -> node, or nothing
  Script release;           ///< P : epoch
  Script settle;            ///< P : epoch, node -> P's fields with the next sender, or nothing
  Script post;              ///< P, inbox : command, partition, channel -> position, or nothing
  Script read_log;          ///< log : from, max bytes -> entries
  Script row;               ///< rows, snapshots : instance -> row and snapshot, or none
  Script unfinished;        ///< P : after, limit -> row, snapshot … by id
  Script claim;             ///< owners : instance, claim, claim that may be replaced -> another's claim, or nothing
  Script unclaim;           ///< owners : instance, claim : takes it back if it is still that one
  Script erase;             ///< P : partition, then of each: instance, row, owners or nothing -> instances that were dropped
  Script rows_by_age;       ///< P : before, limit, index … -> whether there may be more, the last one's age, row …

  static const Scripts& all();
  /// Every one of them.
  static std::array<const Script*, 14> list();
};

}  // namespace mapflow::persistence::redis
