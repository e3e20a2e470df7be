#include "persistence/bundle.h"

#include <cstdint>

#include "persistence/wire_format.h"

namespace mapflow::persistence {
namespace {

constexpr std::uint64_t kFormat = 1;

Timestamp time_in(ByteReader& in) { return from_micros(static_cast<std::int64_t>(in.number())); }

}  // namespace

std::string encode(const Bundle& bundle) {
  const InstanceRow& row = bundle.row;
  ByteWriter out;
  out.number(kFormat);
  for (const std::string* text : {&row.id, &row.workflow, &row.version, &row.definition, &row.state, &row.parent, &row.correlation_id})
    out.text(*text);
  out.number(row.partition.value);
  out.number(row.finished ? 1 : 0);
  for (const Timestamp time : {row.created, row.updated, row.wake_at}) out.number(static_cast<std::uint64_t>(to_micros(time)));
  out.number(row.seq);
  out.number(row.tags.size());
  for (const std::string& tag : row.tags) out.text(tag);
  out.text(row.snapshot);
  out.number(bundle.history.size());
  for (const HistoryChunk& chunk : bundle.history) {
    out.number(chunk.first_seq);
    out.number(chunk.last_seq);
    out.text(chunk.records);
  }
  return out.take();
}

Result<Bundle> decode_bundle(std::string_view bytes) {
  Bundle bundle;
  InstanceRow& row = bundle.row;
  ByteReader in(bytes);
  if (in.number() != kFormat) return fail(code::corrupt, "the bytes of an instance do not begin as they must");
  for (std::string* text : {&row.id, &row.workflow, &row.version, &row.definition, &row.state, &row.parent, &row.correlation_id})
    *text = in.text();
  row.partition = Partition(static_cast<std::uint32_t>(in.number()));
  row.finished = in.number() != 0;
  for (Timestamp* time : {&row.created, &row.updated, &row.wake_at}) *time = time_in(in);
  row.seq = in.number();
  for (std::size_t left = in.count(); left > 0 && in.ok(); --left) row.tags.push_back(in.text());
  row.snapshot = in.text();
  for (std::size_t left = in.count(); left > 0 && in.ok(); --left) {
    HistoryChunk chunk{.instance = row.id};
    chunk.first_seq = in.number();
    chunk.last_seq = in.number();
    chunk.records = in.text();
    bundle.history.push_back(std::move(chunk));
  }
  if (!in.complete()) return fail(code::corrupt, "the bytes of an instance do not read back");
  return bundle;
}

}  // namespace mapflow::persistence
