#include "sim/faults.h"

#include <algorithm>
#include <array>
#include <utility>

namespace mapflow::sim {

namespace {

constexpr std::array<std::pair<Fault, std::string_view>, 14> kNames{{
    {Fault::crash, "crash"},
    {Fault::freeze, "freeze"},
    {Fault::commit_lost, "commit_lost"},
    {Fault::commit_doubt, "commit_doubt"},
    {Fault::commit_slow, "commit_slow"},
    {Fault::lease_lost, "lease_lost"},
    {Fault::store_error, "store_error"},
    {Fault::late_reply, "late_reply"},
    {Fault::busy_workers, "busy_workers"},
    {Fault::skew, "skew"},
    {Fault::hold, "hold"},
    {Fault::cancel, "cancel"},
    {Fault::rewind, "rewind"},
    {Fault::mend, "mend"},
}};

}  // namespace

Faults all_faults() {
  Faults all;
  for (const auto& [fault, name] : kNames) all.insert(fault);
  return all;
}

std::string_view to_string(Fault fault) {
  for (const auto& [each, name] : kNames)
    if (each == fault) return name;
  return "";
}

Result<Faults> parse_faults(std::string_view text) {
  if (text == "all") return all_faults();
  Faults faults;
  if (text == "none") return faults;
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), word.size() + 1));
    bool known = false;
    for (const auto& [fault, name] : kNames) {
      if (name != word) continue;
      faults.insert(fault);
      known = true;
    }
    if (known) continue;
    std::string names = "all, none";
    for (const auto& [fault, name] : kNames) names += ", " + std::string(name);
    return fail(code::invalid_input, "no fault is called '" + std::string(word) + "'", "there are: " + names);
  }
  return faults;
}

Result<Sabotage> parse_sabotage(std::string_view name) {
  static constexpr std::pair<std::string_view, Sabotage> kWays[] = {
      {"early_done", Sabotage::early_done},     {"dropped_commit", Sabotage::dropped_commit},
      {"stale_epoch", Sabotage::stale_epoch},   {"lost_command", Sabotage::lost_command},
      {"early_cut", Sabotage::early_cut},       {"double_write", Sabotage::double_write},
      {"blind_expect", Sabotage::blind_expect}, {"stray_answer", Sabotage::stray_answer},
      {"open_gates", Sabotage::open_gates},     {"scattered_turns", Sabotage::scattered_turns},
  };
  for (const auto& [known, sabotage] : kWays)
    if (known == name) return sabotage;
  return fail(code::invalid_input, "no sabotage is called '" + std::string(name) + "'");
}

Faults swarm(const Faults& faults, Chance chance) {
  Faults kept;
  for (const Fault fault : faults)
    if (chance.percent(60)) kept.insert(fault);
  return kept;
}

}  // namespace mapflow::sim
