// How the nodes of a store share the limits of agents: what each says of itself, and what follows for its share.
//
//   every round of the lease keeper, on each node:
//     read every node's notice ──> plan(): what is mine of each limit ──> use less: at once
//                                                                    └──> say so: the notice in the node's own lease
//     read again ────────────────> what I claim, as far as the claims of the others leave room ──> use more
//
// Why the limit holds, whatever order notices arrive in: a node never uses more than the store says it claims, and when it
// begins to use more, it has written its claim first and then read those of all others. Of two who grow at once, the one who
// wrote last sees the other's claim. A claim counts until its notice says otherwise or its lease has run out.
//
// Pure: nothing here knows a clock or a store.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"

namespace mapflow::engine {

/// Names a gate among all nodes.
using GateId = std::uint64_t;

/// Of what a gate can give: calls under way, and tokens of its bucket. Whoever has a share of the tokens has the same share of
/// the rate at which they come back.
struct Amounts {
  std::uint32_t slots = 0;
  std::uint32_t tokens = 0;
  bool operator==(const Amounts&) const = default;
};
inline constexpr std::uint32_t Amounts::*kAmounts[] = {&Amounts::slots, &Amounts::tokens};

/// What a node says of one gate.
struct GateWord {
  Amounts limit;           ///< of the gate as a whole; 0: it has no such limit
  Amounts claim;           ///< the node uses no more than that
  Amounts demand;          ///< so much it could use now
  Timestamp open_until{};  ///< its circuit is open
  bool busy = false;       ///< the node itself has to do with the gate, others need to know
  bool operator==(const GateWord&) const = default;
};

/// What a node says of all gates. Of those that it does not name it claims the even part of the node at `rank` of `nodes`.
struct Notice {
  std::uint32_t rank = 0;
  std::uint32_t nodes = 0;  ///< 0: it claims nothing of them
  std::map<GateId, GateWord> gates;
  bool operator==(const Notice&) const = default;

  /// As it stands in a lease: at most persistence::kLongestNotice bytes.
  std::string encode() const;
  /// A notice that does not read claims everything of every gate.
  static Notice decode(std::string_view bytes);

  Amounts claim(GateId gate, const Amounts& limit) const;
};
/// So many gates a notice names at most; of the others a node has its even part.
inline constexpr std::size_t kMostGates = 1000;

/// What the other nodes that live say, by their names.
using OtherNotices = std::map<std::string, Notice, std::less<>>;

/// What one of `nodes` has of `limit` when all have the same, and the first `limit % nodes` one more.
std::uint32_t even_part(std::uint32_t limit, std::uint32_t rank, std::uint32_t nodes);

/// Max-min fair: nobody gets more than the demand while another one gets less than an equal part; what nobody asked for is
/// spread evenly. While the limit is twice the nodes or more, each has at least one, so that it can begin at once. What
/// does not divide goes round: `turn` says whose turn it is.
std::vector<std::uint32_t> fair_shares(std::uint32_t limit, const std::vector<std::uint32_t>& demands, std::uint64_t turn);

/// What `node` should say next. `own` holds the gates that it has, with limit, demand, open_until and busy; the claims in what is
/// returned are what it may use at most from now on.
Notice plan(std::string_view node, const std::map<GateId, GateWord>& own, const OtherNotices& others, std::uint64_t turn);

/// What the claims of the others leave.
Amounts room(GateId gate, const Amounts& limit, const OtherNotices& others);

Amounts at_most(const Amounts& one, const Amounts& other);
Amounts at_least(const Amounts& one, const Amounts& other);

}  // namespace mapflow::engine
