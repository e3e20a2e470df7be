// What the values in Redis look like: texts, each behind its length (32 bits, big-endian), and numbers of 64 bits.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"
#include "persistence/store.h"

namespace mapflow::persistence::redis {

/// A row without its snapshot. It begins with its place, a text of texts that the server's functions can read too:
/// "u" or "f" (unfinished, finished), its age member, and the names of the indexes that it is in.
std::string pack_row(const InstanceRow& row);
/// Errors: corrupt.
Result<InstanceRow> unpack_row(std::string_view bytes);

/// The member of an index by age: a later creation is a greater text, ids break ties.
std::string age_member(Timestamp created, std::string_view id);

/// Names of indexes, each of which holds the rows that have this property.
std::string index_of_all();
std::string index_of_state(std::string_view state);
std::string index_of_workflow(std::string_view workflow);
std::string index_of_tag(std::string_view tag);

/// `records` are as they are stored, under `encoding` (packed_commit.h).
std::string pack_chunk(const HistoryChunk& chunk, std::string_view encoding);
/// `instance` and `first_seq` come from the key. Errors: corrupt.
Result<HistoryChunk> unpack_chunk(std::string_view instance, std::uint64_t first_seq, std::string_view bytes);

std::string pack_definition(const DefinitionRow& row);
/// Errors: corrupt.
Result<DefinitionRow> unpack_definition(std::string_view hash, std::string_view bytes);

}  // namespace mapflow::persistence::redis
