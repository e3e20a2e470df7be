// The bare loop on Redis: for each transaction one pipeline of MULTI, the writes, EXEC, through hiredis. No leases are
// checked, no old row is looked for, and no queue is kept.
#include <fmt/format.h>
#include <hiredis/hiredis.h>
#include <sys/time.h>

#include <chrono>
#include <string_view>
#include <unordered_map>

#include "base/time.h"
#include "cli/bare_store.h"
#include "persistence/url.h"

namespace mapflow::cli {
namespace {

struct Free { void operator()(redisContext* context) const { redisFree(context); } };
struct FreeReply { void operator()(redisReply* reply) const { freeReplyObject(reply); } };
using Context = std::unique_ptr<redisContext, Free>;
using Reply = std::unique_ptr<redisReply, FreeReply>;
using Words = std::vector<std::string_view>;

std::string_view text_of(const redisReply* reply) { return {reply->str ? reply->str : "", reply->len}; }

class BareRedis final : public BareStore {
 public:
  BareRedis(Context context, std::string prefix) : context_(std::move(context)), prefix_(std::move(prefix)), bare_(prefix_ + "_bare") {}
  ~BareRedis() override {
    if (!made_) return;
    each_key(bare_ + ":*", [&](std::string_view key) { return ask({"UNLINK", key}) != nullptr; });
  }

  Status check_new() {
    for (const std::string& each : {prefix_, bare_}) {
      bool any = false;
      if (!each_key(each + ":*", [&](std::string_view) { return any = true; })) return failed();
      if (any)
        return fail(code::invalid_input, "there are keys that begin with '" + each + ":' already",
                    "name another beginning with ?prefix=NAME: the measurement starts from an empty store");
    }
    return {};
  }

  Result<BareFigures> write(const std::vector<RecordedTransaction>& transactions) override {
    made_ = true;
    if (!read_values()) return failed();
    const auto before = std::chrono::steady_clock::now();
    for (const RecordedTransaction& transaction : transactions)
      if (!write(transaction)) return failed();
    BareFigures figures;
    figures.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - before).count();
    figures.transactions = transactions.size();
    figures.bytes = bytes_;
    return figures;
  }

 private:
  std::unexpected<Error> failed() const { return fail(code::unavailable, std::string("the bare loop failed: ") + context_->errstr); }

  void append(const Words& words) {
    std::vector<const char*> values;
    std::vector<std::size_t> sizes;
    for (const std::string_view word : words) {
      values.push_back(word.data() ? word.data() : "");
      sizes.push_back(word.size());
    }
    redisAppendCommandArgv(context_.get(), static_cast<int>(words.size()), values.data(), sizes.data());
  }
  /// Nothing when it failed.
  Reply take() {
    void* reply = nullptr;
    if (redisGetReply(context_.get(), &reply) != REDIS_OK) return nullptr;
    Reply taken(static_cast<redisReply*>(reply));
    return taken->type == REDIS_REPLY_ERROR ? nullptr : std::move(taken);
  }
  Reply ask(const Words& words) {
    append(words);
    return take();
  }
  template <class Visit>
  bool each_key(const std::string& pattern, const Visit& visit) {
    for (std::string cursor = "0";;) {
      const Reply page = ask({"SCAN", cursor, "MATCH", pattern, "COUNT", "1000"});
      if (!page || page->elements != 2) return false;
      for (std::size_t at = 0; at < page->element[1]->elements; ++at)
        if (!visit(text_of(page->element[1]->element[at]))) return false;
      cursor = text_of(page->element[0]);
      if (cursor == "0") return true;
    }
  }

  /// Rows and history as the store packed them.
  bool read_values() {
    const auto fields_of = [&](std::string_view key, const auto& visit) {
      const Reply all = ask({"HGETALL", key});
      for (std::size_t at = 0; all && at + 1 < all->elements; at += 2)
        visit(std::string(text_of(all->element[at])), std::string(text_of(all->element[at + 1])));
      return all != nullptr;
    };
    constexpr std::string_view kHistory = ":history:";
    return each_key(prefix_ + ":{p*}:rows", [&](std::string_view key) {
             return fields_of(key, [&](std::string id, std::string row) { rows_.emplace(std::move(id), std::move(row)); });
           }) &&
           each_key(prefix_ + ":{p*}:history:*", [&](std::string_view key) {
             const std::string instance(key.substr(key.find(kHistory) + kHistory.size()));
             return fields_of(key, [&](const std::string& first_seq, std::string chunk) {
               chunks_[{instance, std::stoull(first_seq)}] = {"", std::move(chunk)};
             });
           });
  }

  bool write(const RecordedTransaction& transaction) {
    std::size_t commands = 2;
    const auto put = [&](const Words& words) {
      for (const std::string_view word : words) bytes_ += word.size();
      append(words);
      ++commands;
    };
    append({"MULTI"});
    for (const persistence::Commit& commit : transaction) {
      const std::string partition = fmt::format("{}:{{p{}}}", bare_, commit.lease.partition.value);
      if (!commit.log.empty())
        put({"XADD", partition + ":log", fmt::format("{}-0", ++position_[commit.lease.partition.value]), "e",
             std::to_string(commit.lease.epoch.value), "b", commit.log});
      for (const persistence::InstanceRow& row : commit.rows) put_row(put, partition, row);
      for (const persistence::HistoryChunk& chunk : commit.history)
        put({"HSET", partition + ":history:" + chunk.instance, std::to_string(chunk.first_seq),
             chunks_[{chunk.instance, chunk.first_seq}].bytes});
      for (const persistence::DefinitionRow& row : commit.definitions)
        put({"HSETNX", partition + ":definitions", row.hash, row.document});
    }
    append({"EXEC"});
    bool good = true;
    for (; commands > 0; --commands) good = take() && good;
    return good;
  }

  template <class Put>
  void put_row(const Put& put, const std::string& partition, const persistence::InstanceRow& row) {
    put({"HSET", partition + ":rows", row.id, rows_[row.id]});
    if (!row.snapshot.empty()) put({"HSET", partition + ":snapshots", row.id, row.snapshot});
    const std::string age = fmt::format("{:016x}{}", to_micros(row.created), row.id);
    for (const std::string& index : {std::string(":by:all"), ":by:s:" + row.state, ":by:w:" + row.workflow})
      put({"ZADD", partition + index, "0", age});
  }

  const Context context_;
  const std::string prefix_, bare_;
  bool made_ = false;  ///< the keys are ours to remove
  std::unordered_map<std::string, std::string> rows_;
  StoredChunks chunks_;
  std::map<std::uint32_t, std::uint64_t> position_;
  std::uint64_t bytes_ = 0;
};

}  // namespace

Result<std::unique_ptr<BareStore>> make_bare_redis(const std::string& url) {
  MAPFLOW_ASSIGN(persistence::StoreUrl place, persistence::parse_store_url("redis", std::string_view(url).substr(url.find(':') + 1)));
  const std::string host = place.hosts.empty() ? "127.0.0.1" : place.hosts.front().name;
  const int port = place.hosts.empty() || place.hosts.front().port == 0 ? 6379 : place.hosts.front().port;
  Context context(redisConnectWithTimeout(host.c_str(), port, timeval{10, 0}));
  const auto accepts = [&](const std::vector<std::string>& words) {
    std::vector<const char*> values;
    for (const std::string& word : words) values.push_back(word.c_str());
    const Reply reply(static_cast<redisReply*>(redisCommandArgv(context.get(), static_cast<int>(values.size()), values.data(), nullptr)));
    return reply && reply->type != REDIS_REPLY_ERROR;
  };
  std::vector<std::string> login = {"AUTH"};
  if (!place.user.empty()) login.push_back(place.user);
  if (place.password) login.push_back(*place.password);
  if (!context || context->err != 0 || (place.password && !accepts(login)) || !accepts({"SELECT", place.path.empty() ? "0" : place.path}))
    return fail(code::unavailable, "the bare loop cannot connect to the Redis server that the URL names");
  auto store = std::make_unique<BareRedis>(std::move(context), place.take("prefix").value_or("mapflow"));
  MAPFLOW_TRY(store->check_new());
  return store;
}

}  // namespace mapflow::cli
