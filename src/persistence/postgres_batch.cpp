#include "persistence/postgres_batch.h"

#include <algorithm>
#include <string>

namespace mapflow::persistence::postgres {
namespace {

/// A list of texts as PostgreSQL writes an array: {"one","tw\"o"}.
std::string array_literal(const std::vector<std::string>& texts) {
  std::string literal = "{";
  for (const std::string& text : texts) {
    if (literal.size() > 1) literal += ',';
    literal += '"';
    for (const char letter : text) {
      if (letter == '"' || letter == '\\') literal += '\\';
      literal += letter;
    }
    literal += '"';
  }
  return literal + '}';
}

/// PostgreSQL keeps an escaped zero in JSON but cannot read it out again; people see the replacement character.
std::string without_zeros(std::string_view json) {
  constexpr std::string_view kZero = "\\u0000";
  if (!json.contains(kZero)) return std::string(json);
  std::string text;
  while (!json.empty()) {
    const std::size_t escape = std::min(json.find('\\'), json.size());
    text += json.substr(0, escape);
    json.remove_prefix(escape);
    const bool zero = json.starts_with(kZero);
    text += zero ? std::string_view("\\ufffd") : json.substr(0, 2);
    json.remove_prefix(std::min<std::size_t>(json.size(), zero ? kZero.size() : 2));
  }
  return text;
}

}  // namespace

bool Batch::fits(const Commit& commit) const {
  return std::ranges::none_of(commit.rows, [&](const InstanceRow& row) {
    const auto before = rows_.find(row.id);
    return before != rows_.end() && before->second->partition != row.partition;
  });
}

LogPosition Batch::add(const PackedCommit& packed, Lane& lane) {
  const Commit& commit = packed.commit;
  const Partition partition = commit.lease.partition;
  LaneUse& use = lanes_.try_emplace(partition, LaneUse{lane.lease.epoch, lane.sender, lane.written, 0, {}, {}, {}}).first->second;
  if (!commit.log.empty()) {
    ++lane.log_end.value;
    log_.push_back({partition, lane.log_end, commit.lease.epoch, commit.log});
  }
  ++lane.written;
  ++use.commits;
  use.log_end = lane.log_end;
  const LogPosition dropped = std::min(commit.truncate_before, LogPosition(lane.log_end.value + 1));
  use.log_start = std::max(use.log_start, dropped);
  use.inbox = std::max(use.inbox, commit.inbox_through);
  for (const InstanceRow& row : commit.rows) rows_.insert_or_assign(row.id, &row);
  for (std::size_t index = 0; index < commit.history.size(); ++index) {
    const HistoryChunk& chunk = commit.history[index];
    history_.insert_or_assign({chunk.instance, chunk.first_seq}, Chunk{&chunk, packed.encoding[index]});
  }
  for (const DefinitionRow& definition : commit.definitions) definitions_.try_emplace(definition.hash, &definition);
  ends_.insert_or_assign(partition, lane);
  return lane.log_end;
}

Arguments Batch::arguments() const {
  Arguments arguments;
  add_lanes(arguments);
  add_log(arguments);
  add_rows(arguments);
  add_history(arguments);
  add_definitions(arguments);
  return arguments;
}

void Batch::add_lanes(Arguments& arguments) const {
  Array partition(Array::int4), epoch(Array::int8), sender(Array::int8), written(Array::int8), commits(Array::int8),
      log_end(Array::int8), log_start(Array::int8), inbox(Array::int8);
  for (const auto& [number, use] : lanes_) {
    partition.add(number.value);
    epoch.add(use.epoch.value);
    sender.add(use.sender);
    written.add(use.written);
    commits.add(use.commits);
    log_end.add(use.log_end.value);
    log_start.add(use.log_start.value);
    inbox.add(use.inbox.value);
  }
  for (Array* column : {&partition, &epoch, &sender, &written, &commits, &log_end, &log_start, &inbox})
    arguments.add(std::move(*column));
}

void Batch::add_log(Arguments& arguments) const {
  Array partition(Array::int4), position(Array::int8), epoch(Array::int8), bytes(Array::bytea);
  for (const Entry& entry : log_) {
    partition.add(entry.partition.value);
    position.add(entry.position.value);
    epoch.add(entry.epoch.value);
    bytes.add(Bytes{entry.bytes});
  }
  for (Array* column : {&partition, &position, &epoch, &bytes}) arguments.add(std::move(*column));
}

void Batch::add_rows(Arguments& arguments) const {
  Array id(Array::text), partition(Array::int4), workflow(Array::text), version(Array::text), definition(Array::text),
      state(Array::text), finished(Array::boolean), parent(Array::text), correlation_id(Array::text), tags(Array::text),
      created(Array::int8), updated(Array::int8), wake_at(Array::int8), seq(Array::int8), snapshot(Array::bytea),
      details(Array::text);
  for (const auto& [key, row] : rows_) {
    id.add(row->id);
    partition.add(row->partition.value);
    workflow.add(row->workflow);
    version.add(row->version);
    definition.add(row->definition);
    state.add(row->state);
    finished.add(row->finished);
    parent.add(row->parent);
    correlation_id.add(row->correlation_id);
    tags.add(array_literal(row->tags));
    created.add(to_micros(row->created));
    updated.add(to_micros(row->updated));
    if (row->wake_at == kNever) {
      wake_at.add_null();
    } else {
      wake_at.add(to_micros(row->wake_at));
    }
    seq.add(row->seq);
    snapshot.add(Bytes{row->snapshot});
    if (row->details.empty()) {
      details.add_null();
    } else {
      details.add(without_zeros(row->details));
    }
  }
  for (Array* column : {&id, &partition, &workflow, &version, &definition, &state, &finished, &parent, &correlation_id,
                        &tags, &created, &updated, &wake_at, &seq, &snapshot, &details})
    arguments.add(std::move(*column));
}

void Batch::add_history(Arguments& arguments) const {
  Array instance(Array::text), first_seq(Array::int8), last_seq(Array::int8), encoding(Array::text), records(Array::bytea);
  for (const auto& [key, entry] : history_) {
    instance.add(entry.chunk->instance);
    first_seq.add(entry.chunk->first_seq);
    last_seq.add(entry.chunk->last_seq);
    encoding.add(entry.encoding);
    records.add(Bytes{entry.chunk->records});
  }
  for (Array* column : {&instance, &first_seq, &last_seq, &encoding, &records}) arguments.add(std::move(*column));
}

void Batch::add_definitions(Arguments& arguments) const {
  Array hash(Array::text), workflow(Array::text), version(Array::text), document(Array::text);
  for (const auto& [key, definition] : definitions_) {
    hash.add(definition->hash);
    workflow.add(definition->workflow);
    version.add(definition->version);
    document.add(definition->document);
  }
  for (Array* column : {&hash, &workflow, &version, &document}) arguments.add(std::move(*column));
}

}  // namespace mapflow::persistence::postgres
