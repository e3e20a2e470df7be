#include "persistence/redis_listing.h"

#include <fmt/format.h>

#include <algorithm>

#include "persistence/redis_scripts.h"
#include "persistence/redis_values.h"

namespace mapflow::persistence::redis {
namespace {

constexpr std::size_t kLeastPortion = 16, kGreatestPortion = 500;

/// What a portion has, about. A filter that no index answers is worth a longer look each time.
std::size_t portion_of(const ListQuery& query, std::size_t partitions) {
  if (!query.text.empty()) return kGreatestPortion;
  return std::clamp(query.limit / partitions * 2, kLeastPortion, kGreatestPortion);
}

std::vector<std::string> indexes_for(const ListQuery& query) {
  std::vector<std::string> indexes;
  if (!query.tag.empty()) indexes.push_back(index_of_tag(query.tag));
  if (!query.state.empty()) indexes.push_back(index_of_state(query.state));
  if (!query.workflow.empty()) indexes.push_back(index_of_workflow(query.workflow));
  if (indexes.empty()) indexes.push_back(index_of_all());
  return indexes;
}

bool newer(const InstanceRow& one, const InstanceRow& other) {
  return one.created != other.created ? one.created > other.created : one.id > other.id;
}

}  // namespace

Result<Listing> Listing::begin(Access& access, const Keys& keys, const ListQuery& query, std::uint32_t partitions) {
  std::string before = "+";
  if (!query.cursor.empty()) {
    MAPFLOW_ASSIGN(const ListCursor cursor, parse_cursor(query.cursor));
    before = "(" + age_member(cursor.created, cursor.id);
  }
  Listing listing(access, keys, query);
  for (std::uint32_t number = 0; number < partitions; ++number) listing.sources_.push_back({Partition(number), before, {}, false});
  return listing;
}

Result<std::optional<InstanceRow>> Listing::next() {
  MAPFLOW_TRY(refill());
  Source* newest = nullptr;
  for (Source& source : sources_)
    if (!source.rows.empty() && (!newest || newer(source.rows.front(), newest->rows.front()))) newest = &source;
  if (!newest) return std::optional<InstanceRow>();
  std::optional<InstanceRow> row = std::move(newest->rows.front());
  newest->rows.pop_front();
  return row;
}

/// Until every source either has a row or none left.
Status Listing::refill() {
  const auto indexes = indexes_for(query_);
  const std::size_t portion = portion_of(query_, sources_.size());
  for (;;) {
    std::vector<Source*> dry;
    Access::Calls reads;
    for (Source& source : sources_) {
      if (!source.dry()) continue;
      const std::string key = keys_.partition(source.partition);
      Command command(Scripts::all().rows_by_age, {key});
      command.add(source.before).add(portion);
      for (const std::string& index : indexes) command.add(index);
      reads.emplace_back(key, std::move(command));
      dry.push_back(&source);
    }
    if (dry.empty()) return {};
    MAPFLOW_ASSIGN(const std::vector<Reply> replies, access_.read_all(reads));
    for (std::size_t number = 0; number < dry.size(); ++number) {
      Source& source = *dry[number];
      const std::vector<Reply>& found = replies[number].elements;
      source.ended = found.size() < 2 || found[0].to_number() == 0;
      if (found.size() >= 2) source.before = "(" + found[1].text;
      for (std::size_t at = 2; at < found.size(); ++at) {
        auto row = unpack_row(found[at].text);
        if (!row)
          return fail(code::corrupt, fmt::format("{}: an instance of partition {}: {}", access_.name(), source.partition.value,
                                                 row.error().message));
        if (matches(*row, query_)) source.rows.push_back(*std::move(row));
      }
    }
  }
}

}  // namespace mapflow::persistence::redis
