#include "persistence/redis_values.h"

#include <fmt/format.h>

#include <concepts>

#include "persistence/packed_commit.h"

namespace mapflow::persistence::redis {
namespace {

class Packer {
 public:
  Packer& text(std::string_view text) {
    put(static_cast<std::uint32_t>(text.size()));
    bytes_ += text;
    return *this;
  }
  Packer& number(std::uint64_t number) {
    put(number);
    return *this;
  }
  Packer& number(std::int64_t number) { return this->number(static_cast<std::uint64_t>(number)); }
  std::string take() { return std::move(bytes_); }

 private:
  template <std::unsigned_integral Number>
  void put(Number number) {
    for (int shift = static_cast<int>(sizeof number) * 8 - 8; shift >= 0; shift -= 8)
      bytes_ += static_cast<char>(number >> shift & 0xFF);
  }
  std::string bytes_;
};

/// Reads what Packer wrote. What is missing reads as empty, and `whole` tells at the end.
class Unpacker {
 public:
  explicit Unpacker(std::string_view bytes) : rest_(bytes) {}

  std::string_view view() { return cut(get<std::uint32_t>()); }
  std::string text() { return std::string(view()); }
  std::uint64_t unsigned_number() { return get<std::uint64_t>(); }
  std::int64_t number() { return static_cast<std::int64_t>(unsigned_number()); }
  /// Whether everything was there and nothing is left.
  bool whole() const { return good_ && rest_.empty(); }

 private:
  std::string_view cut(std::size_t size) {
    good_ = good_ && size <= rest_.size();
    if (!good_) return {};
    const std::string_view part = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return part;
  }
  template <std::unsigned_integral Number>
  Number get() {
    Number number = 0;
    for (const char byte : cut(sizeof(Number))) number = static_cast<Number>(number << 8 | static_cast<unsigned char>(byte));
    return number;
  }
  std::string_view rest_;
  bool good_ = true;
};

std::string place_of(const InstanceRow& row) {
  Packer place;
  place.text(row.finished ? "f" : "u").text(age_member(row.created, row.id)).text(index_of_all());
  place.text(index_of_state(row.state)).text(index_of_workflow(row.workflow));
  for (const std::string& tag : row.tags) place.text(index_of_tag(tag));
  return place.take();
}

}  // namespace

std::string age_member(Timestamp created, std::string_view id) {
  // Shifted, so that times before 1970 sort before those after.
  return fmt::format("{:016x}{}", static_cast<std::uint64_t>(to_micros(created)) ^ (std::uint64_t{1} << 63), id);
}

std::string index_of_all() { return "all"; }
std::string index_of_state(std::string_view state) { return fmt::format("s:{}", state); }
std::string index_of_workflow(std::string_view workflow) { return fmt::format("w:{}", workflow); }
std::string index_of_tag(std::string_view tag) { return fmt::format("t:{}", tag); }

std::string pack_row(const InstanceRow& row) {
  Packer packer;
  packer.text(place_of(row)).text(row.id).number(std::uint64_t{row.partition.value}).text(row.workflow).text(row.version);
  packer.text(row.definition).text(row.state).number(std::uint64_t{row.finished}).text(row.parent).text(row.correlation_id);
  packer.number(std::uint64_t{row.tags.size()});
  for (const std::string& tag : row.tags) packer.text(tag);
  packer.number(to_micros(row.created)).number(to_micros(row.updated)).number(to_micros(row.wake_at)).number(row.seq);
  return packer.take();
}

Result<InstanceRow> unpack_row(std::string_view bytes) {
  Unpacker unpacker(bytes);
  unpacker.view();  // the place, which the fields below say again
  InstanceRow row;
  row.id = unpacker.text();
  row.partition = Partition(static_cast<std::uint32_t>(unpacker.unsigned_number()));
  row.workflow = unpacker.text();
  row.version = unpacker.text();
  row.definition = unpacker.text();
  row.state = unpacker.text();
  row.finished = unpacker.unsigned_number() != 0;
  row.parent = unpacker.text();
  row.correlation_id = unpacker.text();
  const std::uint64_t tags = unpacker.unsigned_number();
  if (tags > bytes.size()) return fail(code::corrupt, "a row does not read back");
  for (std::uint64_t number = 0; number < tags; ++number) row.tags.push_back(unpacker.text());
  row.created = from_micros(unpacker.number());
  row.updated = from_micros(unpacker.number());
  row.wake_at = from_micros(unpacker.number());
  row.seq = unpacker.unsigned_number();
  if (!unpacker.whole()) return fail(code::corrupt, "a row does not read back");
  return row;
}

std::string pack_chunk(const HistoryChunk& chunk, std::string_view encoding) {
  return Packer().number(chunk.last_seq).text(encoding).text(chunk.records).take();
}

Result<HistoryChunk> unpack_chunk(std::string_view instance, std::uint64_t first_seq, std::string_view bytes) {
  Unpacker unpacker(bytes);
  HistoryChunk chunk{std::string(instance), first_seq, unpacker.unsigned_number(), {}};
  const std::string_view encoding = unpacker.view(), records = unpacker.view();
  if (!unpacker.whole()) return fail(code::corrupt, "its length is wrong");
  MAPFLOW_ASSIGN(chunk.records, unpack_records(encoding, records));
  return chunk;
}

std::string pack_definition(const DefinitionRow& row) {
  return Packer().text(row.workflow).text(row.version).text(row.document).take();
}

Result<DefinitionRow> unpack_definition(std::string_view hash, std::string_view bytes) {
  Unpacker unpacker(bytes);
  DefinitionRow row{std::string(hash), unpacker.text(), unpacker.text(), unpacker.text()};
  if (!unpacker.whole()) return fail(code::corrupt, "a definition does not read back");
  return row;
}

}  // namespace mapflow::persistence::redis
