#include "persistence/redis_scripts.h"

#include <openssl/evp.h>

#include <utility>

#include "base/ensure.h"

namespace mapflow::persistence::redis {
namespace {

// Where a row stands in the indexes of its partition: what both functions that write rows begin with.
constexpr std::string_view kPlaces = R"lua(#!lua
local call = redis.call
local function place_of(row) return (struct.unpack('>I4c0', row)) end
local function move(base, id, place, done)
  local unfinished, next = struct.unpack('>I4c0', place)
  local age, name
  age, next = struct.unpack('>I4c0', place, next)
  if unfinished == 'u' then done(base .. ':unfinished', id) end
  while next <= #place do
    name, next = struct.unpack('>I4c0', place, next)
    done(base .. ':by:' .. name, age)
  end
end
local function add(key, member) call('ZADD', key, 0, member) end
local function remove(key, member) call('ZREM', key, member) end
)lua";

// Numbers of 64 bits stay texts here: Lua's own are exact to 2^53 only. Whatever may be refused is refused before the
// first write of a commit, for nothing takes back what a script has written.
constexpr std::string_view kWriteCommits = R"lua(
local at, args = 0, ARGV
local function take() at = at + 1; return args[at] end
local function take_number() return tonumber(take()) end

-- Which other partition one of the next rows belongs to.
local function owner_of_rows(base, partition, rows)
  for first = at + 1, at + 4 * rows, 4 do
    local id, owners = args[first], args[first + 1]
    if owners ~= '' and call('HEXISTS', base .. ':rows', id) == 0 then
      local owner = call('HGET', owners, id)
      if owner and owner ~= partition then return owner, id end
    end
  end
end

local function write_rows(base, partition, rows)
  for n = 1, rows do
    local id, owners, row, snapshot = take(), take(), take(), take()
    local old = call('HGET', base .. ':rows', id)
    if not old then
      if owners ~= '' then call('HSET', owners, id, partition) end
      move(base, id, place_of(row), add)
    elseif place_of(old) ~= place_of(row) then
      move(base, id, place_of(old), remove)
      move(base, id, place_of(row), add)
    end
    call('HSET', base .. ':rows', id, row)
    if snapshot ~= '' then call('HSET', base .. ':snapshots', id, snapshot)
    elseif old then call('HDEL', base .. ':snapshots', id) end
  end
end

-- One commit; what it was refused for, or nothing.
local function write(base, partition, lane)
  local log, truncate, inbox, rows, chunks, definitions =
    take(), take(), take(), take_number(), take_number(), take_number()
  local owner, id = owner_of_rows(base, partition, rows)
  if owner then return {owner, id} end
  if log ~= '' then
    lane.log_end = lane.log_end + 1
    call('XADD', base .. ':log', string.format('%.0f-0', lane.log_end), 'e', lane.epoch, 'b', log)
  end
  write_rows(base, partition, rows)
  for n = 1, chunks do call('HSET', base .. ':history:' .. take(), take(), take()) end
  for n = 1, definitions do call('HSETNX', base .. ':definitions', take(), take()) end
  if truncate ~= '0' then call('XTRIM', base .. ':log', 'MINID', truncate) end
  if inbox ~= '0' then call('XTRIM', base .. ':inbox', 'MINID', inbox) end
end

-- While a slot moves to another server of a cluster, some of its keys are there already, and to touch one of those fails.
-- So before the first write all of them are touched: the script fails as a whole then.
local function touch_all(base, commits)
  local keys, start = {base .. ':log', base .. ':inbox', base .. ':rows', base .. ':snapshots', base .. ':definitions'}, at
  local function note(key) keys[#keys + 1] = key end
  for n = 1, commits do
    at = at + 3
    local rows, chunks, definitions = take_number(), take_number(), take_number()
    for r = 1, rows do
      local id = take()
      at = at + 1
      move(base, id, place_of(take()), note)
      at = at + 1
      local old = call('HGET', base .. ':rows', id)
      if old then move(base, id, place_of(old), note) end
    end
    for c = 1, chunks do
      note(base .. ':history:' .. take())
      at = at + 2
    end
    at = at + 2 * definitions
  end
  at = start
  for n = 1, #keys do call('EXISTS', keys[n]) end
end

local in_cluster = take() == '1'
local answers = {}
for number, base in ipairs(KEYS) do
  local words, partition, epoch, node, sender, written, commits =
    take_number(), take(), take(), take(), take(), take(), take_number()
  local behind = at + words
  local now = call('HMGET', base, 'epoch', 'node', 'released', 'sender', 'written', 'log_end')
  if now[1] == epoch and now[2] == node and now[3] == '0' and now[4] == sender and now[5] == written then
    if in_cluster then touch_all(base, commits) end
    local lane = {epoch = epoch, log_end = tonumber(now[6])}
    local done, refused = 0, nil
    while done < commits do
      refused = write(base, partition, lane)
      if refused then break end
      done = done + 1
    end
    if done > 0 then
      call('HSET', base, 'written', string.format('%.0f', tonumber(written) + done),
           'log_end', string.format('%.0f', lane.log_end))
    end
    answers[number] = refused and {done, refused[1], refused[2]} or {done}
  else
    answers[number] = {-1}
  end
  at = behind
end
return answers
)lua";

constexpr std::string_view kMakePartition = R"lua(#!lua
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('HSET', KEYS[1], 'epoch', 0, 'node', '', 'expires', 0, 'released', 0, 'sender', 0, 'written', 0,
           'log_end', 0, 'inbox_end', 0)
return 1
)lua";

constexpr std::string_view kTake = R"lua(#!lua
local now = redis.call('HMGET', KEYS[1], 'epoch', 'expires', 'released', 'node')
if now[1] ~= ARGV[1] or now[2] ~= ARGV[2] or now[3] ~= ARGV[3] then return 0 end
if now[4] ~= ARGV[5] then redis.call('HDEL', KEYS[1], 'notice') end
redis.call('HSET', KEYS[1], 'epoch', ARGV[4], 'node', ARGV[5], 'expires', ARGV[6], 'released', 0, 'written', 0)
return 1
)lua";

constexpr std::string_view kRenew = R"lua(#!lua
local now = redis.call('HMGET', KEYS[1], 'epoch', 'released', 'node')
if now[1] ~= ARGV[1] or now[2] ~= '0' then return false end
redis.call('HSET', KEYS[1], 'expires', ARGV[2], 'notice', ARGV[3])
return now[3]
)lua";

constexpr std::string_view kRelease = R"lua(#!lua
if redis.call('HGET', KEYS[1], 'epoch') == ARGV[1] then redis.call('HSET', KEYS[1], 'released', 1, 'expires', 0) end
return 1
)lua";

constexpr std::string_view kSettle = R"lua(#!lua
local now = redis.call('HMGET', KEYS[1], 'epoch', 'node')
if now[1] ~= ARGV[1] or now[2] ~= ARGV[2] then return false end
redis.call('HINCRBY', KEYS[1], 'sender', 1)
return redis.call('HMGET', KEYS[1], 'epoch', 'node', 'expires', 'released', 'sender', 'written', 'log_end')
)lua";

constexpr std::string_view kPost = R"lua(#!lua
if redis.call('EXISTS', KEYS[1]) == 0 then return false end
local position = redis.call('HINCRBY', KEYS[1], 'inbox_end', 1)
redis.call('XADD', KEYS[2], string.format('%.0f-0', position), 'c', ARGV[1])
redis.call('PUBLISH', ARGV[3], ARGV[2])
return position
)lua";

constexpr std::string_view kReadLog = R"lua(#!lua flags=no-writes
local entries, bytes, from = {}, 0, ARGV[1]
while true do
  local part = redis.call('XRANGE', KEYS[1], from, '+', 'COUNT', 16)
  for n, entry in ipairs(part) do
    bytes = bytes + #entry[2][4]
    if #entries > 0 and bytes > tonumber(ARGV[2]) then return entries end
    entries[#entries + 1] = {entry[1], entry[2][2], entry[2][4]}
    from = '(' .. entry[1]
  end
  if #part < 16 then return entries end
end
)lua";

constexpr std::string_view kRow = R"lua(#!lua flags=no-writes
local row = redis.call('HGET', KEYS[1], ARGV[1])
return row and {row, redis.call('HGET', KEYS[2], ARGV[1]) or ''} or {}
)lua";

// Up to about 16 MiB at a time.
constexpr std::string_view kUnfinished = R"lua(#!lua flags=no-writes
local ids = redis.call('ZRANGEBYLEX', KEYS[1] .. ':unfinished', ARGV[1], '+', 'LIMIT', 0, ARGV[2])
local found, bytes = {}, 0
for n, id in ipairs(ids) do
  local snapshot = redis.call('HGET', KEYS[1] .. ':snapshots', id) or ''
  bytes = bytes + #snapshot
  if #found > 0 and bytes > 16777216 then break end
  found[#found + 1] = redis.call('HGET', KEYS[1] .. ':rows', id)
  found[#found + 1] = snapshot
end
return found
)lua";

// A claim is a partition and its epoch. An older epoch's never replaces a newer one's.
constexpr std::string_view kClaim = R"lua(#!lua
local function parts(claim)
  local partition, epoch = string.match(claim, '^(%d+) ?(%d*)$')
  return partition, tonumber(epoch) or 0
end
local now = redis.call('HGET', KEYS[1], ARGV[1])
if now and now ~= ARGV[3] then
  local partition, epoch = parts(ARGV[2])
  local its_partition, its_epoch = parts(now)
  if partition ~= its_partition then return now end
  if epoch <= its_epoch then return false end
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return false
)lua";

// Rows that are still as the caller has read them. All keys are touched before the first is written, as above.
constexpr std::string_view kErase = R"lua(
local base, rows = KEYS[1], KEYS[1] .. ':rows'
local function each(done)
  for n = 2, #ARGV, 3 do
    if call('HGET', rows, ARGV[n]) == ARGV[n + 1] then done(ARGV[n], place_of(ARGV[n + 1]), ARGV[n + 2]) end
  end
end
local keys, erased = {base .. ':snapshots'}, {}
each(function(id, place)
  keys[#keys + 1] = base .. ':history:' .. id
  move(base, id, place, function(key) keys[#keys + 1] = key end)
end)
for n = 1, #keys do call('EXISTS', keys[n]) end
each(function(id, place, owners)
  move(base, id, place, remove)
  call('HDEL', rows, id)
  call('HDEL', base .. ':snapshots', id)
  call('UNLINK', base .. ':history:' .. id)
  if owners ~= '' and call('HGET', owners, id) == ARGV[1] then call('HDEL', owners, id) end
  erased[#erased + 1] = id
end)
return erased
)lua";

constexpr std::string_view kUnclaim = R"lua(#!lua
return redis.call('HGET', KEYS[1], ARGV[1]) == ARGV[2] and redis.call('HDEL', KEYS[1], ARGV[1]) or 0
)lua";

// Of the indexes that hold all that is asked for, the smallest is gone through.
constexpr std::string_view kRowsByAge = R"lua(#!lua flags=no-writes
local key, size
for n = 3, #ARGV do
  local candidate = KEYS[1] .. ':by:' .. ARGV[n]
  local its_size = redis.call('ZCARD', candidate)
  if not size or its_size < size then key, size = candidate, its_size end
end
local limit = tonumber(ARGV[2])
local members = redis.call('ZREVRANGEBYLEX', key, ARGV[1], '-', 'LIMIT', 0, limit)
local found = {#members == limit and 1 or 0, members[#members] or ''}
for n, member in ipairs(members) do found[n + 2] = redis.call('HGET', KEYS[1] .. ':rows', string.sub(member, 17)) end
return found
)lua";

}  // namespace

Script::Script(std::string lua) : lua_(std::move(lua)) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  unsigned char digest[EVP_MAX_MD_SIZE];
  std::size_t size = 0;
  ensure(EVP_Q_digest(nullptr, "SHA1", nullptr, lua_.data(), lua_.size(), digest, &size) == 1, "no SHA-1 to name scripts by");
  for (std::size_t at = 0; at < size; ++at) (sha_ += kDigits[digest[at] >> 4]) += kDigits[digest[at] & 15];
}

const Scripts& Scripts::all() {
  const auto made = [](std::string_view lua) { return Script(std::string(lua)); };
  const auto with_places = [](std::string_view lua) { return Script(std::string(kPlaces).append(lua)); };
  static const Scripts scripts{with_places(kWriteCommits), made(kMakePartition), made(kTake),       made(kRenew), made(kRelease),
                               made(kSettle),              made(kPost),          made(kReadLog),    made(kRow),   made(kUnfinished),
                               made(kClaim),               made(kUnclaim),       with_places(kErase), made(kRowsByAge)};
  return scripts;
}

std::array<const Script*, 14> Scripts::list() {
  const Scripts& all = Scripts::all();
  return {&all.write_commits, &all.make_partition, &all.take,       &all.renew, &all.release, &all.settle, &all.post,
          &all.read_log,      &all.row,            &all.unfinished, &all.claim, &all.unclaim, &all.erase,  &all.rows_by_age};
}

}  // namespace mapflow::persistence::redis
