// Definitions back to documents: the canonical form, and the hash that pins a running instance to its definition.
#pragma once

#include <string>

#include "model/definition.h"
#include "value/value.h"

namespace mapflow::builder {

enum class PlacesIn : std::uint8_t {
  nowhere,   ///< the definition alone: what the content hash is over
  document,  ///< with "$file" and "$places", so that a definition read back still knows its lines and columns
};

/// The canonical document: one spelling, defaults left out, every step with its id, lists wherever steps stand.
/// Reading it back (reader.h) gives an equal definition.
Value to_document(const Definition& definition, PlacesIn places = PlacesIn::nowhere);

/// SHA-256, in hex, of the canonical document's canonical JSON. Equal for definitions that mean the same text, wherever
/// it came from and however it was spelled.
std::string content_hash(const Definition& definition);

}  // namespace mapflow::builder
