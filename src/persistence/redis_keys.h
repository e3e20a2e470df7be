// The keys of a store in Redis. Everything of a partition shares a hash tag, so that one function may write it all.
//
//   PREFIX:store                    hash: format, shared, partitions
//   PREFIX:{owners:K}               hash: instance -> its partition; K: one of 256 buckets
//   PREFIX:{pN}                     hash: epoch, node, expires, released, sender, written, log_end, inbox_end
//   PREFIX:{pN}:log                 stream, ids POSITION-0: e (epoch), b (bytes)
//   PREFIX:{pN}:inbox               stream, ids POSITION-0: c (command)
//   PREFIX:{pN}:rows, :snapshots    hashes by instance
//   PREFIX:{pN}:unfinished          sorted set of instances, by name
//   PREFIX:{pN}:by:INDEX            sorted set of AGE INSTANCE, by name; INDEX: all, s:STATE, w:WORKFLOW, t:TAG
//   PREFIX:{pN}:history:INSTANCE    hash by first record
//   PREFIX:{pN}:definitions         hash by content hash
//   PREFIX:posted                   channel: the number of a partition to which something was posted
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "persistence/store.h"

namespace mapflow::persistence::redis {

class Keys {
 public:
  explicit Keys(std::string prefix) : prefix_(std::move(prefix)) {}

  std::string store() const { return prefix_ + ":store"; }
  std::string channel() const { return prefix_ + ":posted"; }
  std::string owners(std::string_view instance) const;
  std::string partition(Partition partition) const;
  std::string log(Partition of) const { return partition(of) + ":log"; }
  std::string inbox(Partition of) const { return partition(of) + ":inbox"; }
  std::string rows(Partition of) const { return partition(of) + ":rows"; }
  std::string snapshots(Partition of) const { return partition(of) + ":snapshots"; }
  std::string history(Partition of, std::string_view instance) const;
  std::string definitions(Partition of) const { return partition(of) + ":definitions"; }

 private:
  std::string prefix_;
};

/// The hash slot of a key, 0 … 16383, as the Redis Cluster specification defines it: CRC16 (XMODEM) of the part in
/// braces, or of the whole key.
std::uint16_t slot_of(std::string_view key);

}  // namespace mapflow::persistence::redis
