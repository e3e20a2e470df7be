#include "persistence/redis_reply.h"

#include <fmt/format.h>
#include <hiredis/hiredis.h>

#include <charconv>
#include <new>
#include <utility>

#include "base/ensure.h"

namespace mapflow::persistence::redis {
namespace {

/// The store's own calls stay far below: they ask for a few MiB at a time.
constexpr std::size_t kMaxReplyBytes = std::size_t{1} << 30;
constexpr int kMaxElements = 4 << 20;

/// Where hiredis wants the reply that it has just read: in its list, or by itself.
Reply* place(const redisReadTask* task) {
  if (!task->parent) return new (std::nothrow) Reply;
  return &static_cast<Reply*>(task->parent->obj)->elements[static_cast<std::size_t>(task->idx)];
}

Reply* place(const redisReadTask* task, Reply::Kind kind) {
  Reply* const reply = place(task);
  if (reply) reply->kind = kind;
  return reply;
}

void* make_text(const redisReadTask* task, char* bytes, std::size_t size) {
  Reply* const reply = place(task, task->type == REDIS_REPLY_ERROR ? Reply::Kind::error : Reply::Kind::text);
  if (reply) reply->text.assign(bytes, size);
  return reply;
}

void* make_list(const redisReadTask* task, int elements) {
  if (elements < 0 || elements > kMaxElements) return nullptr;
  Reply* const reply = place(task, Reply::Kind::list);
  if (reply) reply->elements.resize(static_cast<std::size_t>(elements));
  return reply;
}

void* make_number(const redisReadTask* task, long long number) {
  Reply* const reply = place(task, Reply::Kind::number);
  if (reply) reply->number = number;
  return reply;
}

void* make_nothing(const redisReadTask* task) { return place(task, Reply::Kind::nothing); }

void free_reply(void* reply) { delete static_cast<Reply*>(reply); }

redisReplyObjectFunctions functions = {make_text, make_list, make_number, make_nothing, free_reply};

template <class Number>
Number number_in(const Reply& reply) {
  if (reply.kind == Reply::Kind::number) return static_cast<Number>(reply.number);
  Number number = 0;
  std::from_chars(reply.text.data(), reply.text.data() + reply.text.size(), number);
  return number;
}

}  // namespace

std::int64_t Reply::to_number() const { return number_in<std::int64_t>(*this); }
std::uint64_t Reply::to_unsigned() const { return number_in<std::uint64_t>(*this); }

ReplyReader::ReplyReader() : reader_(redisReaderCreateWithFunctions(&functions)) { ensure(reader_, "out of memory"); }
ReplyReader::~ReplyReader() { redisReaderFree(reader_); }

Status ReplyReader::feed(std::string_view bytes) {
  fed_ += bytes.size();
  if (fed_ > kMaxReplyBytes) return fail(code::corrupt, fmt::format("a reply of more than {} MiB", kMaxReplyBytes >> 20));
  if (redisReaderFeed(reader_, bytes.data(), bytes.size()) != REDIS_OK) return fail(code::corrupt, reader_->errstr);
  return {};
}

Result<std::optional<Reply>> ReplyReader::next() {
  void* read = nullptr;
  if (redisReaderGetReply(reader_, &read) != REDIS_OK) return fail(code::corrupt, reader_->errstr);
  if (!read) return std::optional<Reply>();
  fed_ = 0;
  const std::unique_ptr<Reply> reply(static_cast<Reply*>(read));
  return std::optional(std::move(*reply));
}

}  // namespace mapflow::persistence::redis
