#include "engine/batch.h"

#include <algorithm>
#include <utility>

#include "base/ensure.h"
#include "engine/block.h"
#include "kernel/codec.h"

namespace mapflow::engine {
namespace {

constexpr char kBatchFormat = 1;

Result<RecordGroup> read_group(std::string_view& bytes) {
  RecordGroup group;
  MAPFLOW_ASSIGN(group.instance, kernel::decode_text(bytes));
  MAPFLOW_ASSIGN(group.first_seq, kernel::decode_number(bytes));
  MAPFLOW_ASSIGN(group.count, kernel::decode_number(bytes));
  if (bytes.size() < 4) return fail(code::corrupt, "log entry: a group is cut short");
  const std::uint32_t length = get_fixed32(bytes);
  bytes.remove_prefix(4);
  if (bytes.size() < length) return fail(code::corrupt, "log entry: a group is longer than the entry");
  group.records = bytes.substr(0, length);
  bytes.remove_prefix(length);
  return group;
}

}  // namespace

std::string_view BatchWriter::add(std::string_view instance, std::uint64_t first_seq,
                                  std::span<const kernel::Record> records) {
  if (bytes_.empty()) begin_block(bytes_);
  kernel::encode_text(bytes_, instance);
  kernel::encode_number(bytes_, first_seq);
  kernel::encode_number(bytes_, records.size());
  const std::size_t length_at = bytes_.size();
  bytes_.append(4, '\0');
  kernel::encode_records(bytes_, records);
  const std::size_t length = bytes_.size() - length_at - 4;
  ensure(length <= UINT32_MAX, "one decision fits four gigabytes");
  put_fixed32(bytes_, length_at, static_cast<std::uint32_t>(length));
  return std::string_view(bytes_).substr(length_at + 4);
}

std::string BatchWriter::take() {
  if (bytes_.empty()) return {};
  seal_block(bytes_, kBatchFormat);
  std::string entry = std::exchange(bytes_, {});
  bytes_.reserve(std::min<std::size_t>(entry.size(), 1u << 20));  // the next one is probably as long
  return entry;
}

Status read_batch(std::string_view entry, const std::function<Status(const RecordGroup&)>& visit) {
  MAPFLOW_ASSIGN(std::string_view inside, open_block(entry, kBatchFormat, "log entry"));
  while (!inside.empty()) {
    MAPFLOW_ASSIGN(const RecordGroup group, read_group(inside));
    MAPFLOW_TRY(visit(group));
  }
  return {};
}

}  // namespace mapflow::engine
