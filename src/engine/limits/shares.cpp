#include "engine/limits/shares.h"

#include <algorithm>
#include <iterator>

#include "persistence/store.h"
#include "persistence/wire_format.h"

namespace mapflow::engine {
namespace {

constexpr std::uint64_t kFormat = 1;
constexpr std::size_t kLongestWord = 60;  // a gate of 10 bytes, six numbers of at most 5, a time of 10, and a bit
static_assert(kMostGates * kLongestWord < persistence::kLongestNotice);

/// Whoever says this claims all of every gate.
Notice everything() {
  Notice notice;
  notice.nodes = 1;
  return notice;
}

void write(persistence::ByteWriter& out, const Amounts& amounts) {
  for (const auto kind : kAmounts) out.number(amounts.*kind);
}

Amounts read_amounts(persistence::ByteReader& in) {
  Amounts amounts;
  for (const auto kind : kAmounts) amounts.*kind = static_cast<std::uint32_t>(std::min<std::uint64_t>(in.number(), UINT32_MAX));
  return amounts;
}

const GateWord* find(const Notice& notice, GateId gate) {
  const auto found = notice.gates.find(gate);
  return found == notice.gates.end() ? nullptr : &found->second;
}

/// One gate's word of the node at `rank`, when all are asked.
GateWord fair_word(GateId gate, GateWord word, std::uint32_t rank, const OtherNotices& others, std::uint64_t turn) {
  for (const auto kind : kAmounts) {
    if (word.limit.*kind == 0) continue;
    std::vector<std::uint32_t> demands;
    for (const auto& [name, notice] : others) {
      const GateWord* const said = find(notice, gate);
      demands.push_back(said ? said->demand.*kind : 0);
    }
    demands.insert(demands.begin() + rank, word.demand.*kind);
    word.claim.*kind = fair_shares(word.limit.*kind, demands, turn)[rank];
  }
  return word;
}

}  // namespace

std::string Notice::encode() const {
  persistence::ByteWriter out;
  out.number(kFormat);
  out.number(rank);
  out.number(nodes);
  out.number(gates.size());
  for (const auto& [id, word] : gates) {
    out.number(id);
    for (const Amounts& amounts : {word.limit, word.claim, word.demand}) write(out, amounts);
    out.number(static_cast<std::uint64_t>(to_micros(word.open_until)));
    out.number(word.busy ? 1 : 0);
  }
  return out.take();
}

Notice Notice::decode(std::string_view bytes) {
  persistence::ByteReader in(bytes);
  if (in.number() != kFormat) return everything();
  Notice notice;
  notice.rank = static_cast<std::uint32_t>(in.number());
  notice.nodes = static_cast<std::uint32_t>(in.number());
  for (std::size_t left = in.count(); left > 0 && in.ok(); --left) {
    GateWord& word = notice.gates[in.number()];
    for (Amounts* const amounts : {&word.limit, &word.claim, &word.demand}) *amounts = read_amounts(in);
    word.open_until = from_micros(static_cast<std::int64_t>(in.number()));
    word.busy = in.number() != 0;
  }
  return in.complete() ? notice : everything();
}

Amounts Notice::claim(GateId gate, const Amounts& limit) const {
  if (const GateWord* const word = find(*this, gate)) return word->claim;
  Amounts claim;
  if (nodes > 0)
    for (const auto kind : kAmounts) claim.*kind = even_part(limit.*kind, rank, nodes);
  return claim;
}

std::uint32_t even_part(std::uint32_t limit, std::uint32_t rank, std::uint32_t nodes) {
  return limit / nodes + (rank < limit % nodes ? 1 : 0);
}

std::vector<std::uint32_t> fair_shares(std::uint32_t limit, const std::vector<std::uint32_t>& demands, std::uint64_t turn) {
  const auto nodes = static_cast<std::uint32_t>(demands.size());
  const std::uint32_t least = limit / 2 >= nodes ? 1 : 0;
  std::vector<std::uint32_t> shares(nodes, 0);
  std::uint32_t left = limit;
  while (left > 0) {
    std::vector<std::uint32_t> wanting;
    for (std::uint32_t node = 0; node < nodes; ++node)
      if (shares[node] < std::max(demands[node], least)) wanting.push_back(node);
    if (wanting.empty()) break;
    const auto count = static_cast<std::uint32_t>(wanting.size());
    if (left < count) {
      for (; left > 0; --left) ++shares[wanting[(turn + left) % count]];
      break;
    }
    const std::uint32_t each = left / count;
    for (const std::uint32_t node : wanting) {
      const std::uint32_t more = std::min(each, std::max(demands[node], least) - shares[node]);
      shares[node] += more;
      left -= more;
    }
  }
  for (std::uint32_t node = 0; node < nodes; ++node) shares[node] += even_part(left, node, nodes);
  return shares;
}

Notice plan(std::string_view node, const std::map<GateId, GateWord>& own, const OtherNotices& others, std::uint64_t turn) {
  Notice next;
  next.rank = static_cast<std::uint32_t>(std::distance(others.begin(), others.lower_bound(node)));
  next.nodes = static_cast<std::uint32_t>(others.size() + 1);
  if (others.empty()) return next;  // everything is its own, and nobody listens
  const auto name = [&](GateId gate, const GateWord& word) {
    if (next.gates.size() < kMostGates && !next.gates.contains(gate))
      next.gates.emplace(gate, fair_word(gate, word, next.rank, others, turn));
  };
  for (const auto& [gate, word] : own)
    if (word.busy) name(gate, word);
  for (const auto& [other, notice] : others)
    for (const auto& [gate, word] : notice.gates)
      if (word.busy) {
        const auto mine = own.find(gate);
        name(gate, mine == own.end() ? GateWord{.limit = word.limit} : mine->second);
      }
  return next;
}

Amounts room(GateId gate, const Amounts& limit, const OtherNotices& others) {
  Amounts left = limit;
  for (const auto& [name, notice] : others) {
    const Amounts claim = notice.claim(gate, limit);
    for (const auto kind : kAmounts) left.*kind -= std::min(left.*kind, claim.*kind);
  }
  return left;
}

Amounts at_most(const Amounts& one, const Amounts& other) {
  return {std::min(one.slots, other.slots), std::min(one.tokens, other.tokens)};
}

Amounts at_least(const Amounts& one, const Amounts& other) {
  return {std::max(one.slots, other.slots), std::max(one.tokens, other.tokens)};
}

}  // namespace mapflow::engine
