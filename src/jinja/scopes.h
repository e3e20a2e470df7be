// Which name is which slot: the scopes of a template, as they are met by the parser.
//
// A name that is set anywhere in a scope belongs to that scope, and starts there with what it is outside. Because a
// name may be set after it is read (a macro above, the set below), names are only resolved once all has been parsed.
#pragma once

#include <cstdint>
#include <deque>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "jinja/program.h"

namespace mapflow::jinja::detail {

class Scopes {
 public:
  explicit Scopes(Program& program) : program_(program) {}

  /// Opens the scope of a unit. `enclosed`: it sees the names around it (a macro), or not (a block).
  void open_unit(Unit& unit, bool enclosed, MacroDef* macro = nullptr, bool exporting = false);
  /// Opens a scope within the unit at hand; `start` is filled in by resolve().
  void open(ScopeStart& start);
  void close();
  /// Between these the scope around the innermost one is the one at hand.
  void suspend();
  void go_on();
  /// The branches of an `if` are being parsed: statements that may not run.
  void enter_branches() { now_->branchings.emplace_back(); }
  void end_branch();
  void leave_branches(bool exhaustive);  ///< `exhaustive`: one of them always runs

  /// The name is set here.
  Target store(std::string_view name, std::uint32_t at);
  /// From here on the name has been set, unless this is a branch.
  void assigned(std::string_view name);
  /// The name is set by what opened the scope: a loop, a macro's parameter.
  std::uint32_t parameter(std::string_view name);
  /// A parameter that shares the slot that another scope gave it.
  void parameter(std::string_view name, std::uint32_t slot);
  void load(NameExpr* name);
  /// The names that are set here and around here; filled in by resolve().
  const LocalNames* locals();
  /// Calls something that may keep the frame of the unit at hand.
  void captures();

  bool at_top() const { return now_->exporting; }
  bool in_unit_root() const { return now_->outer == nullptr; }

  /// Gives every name its place and every scope its start; fills `NameUse::free`.
  void resolve();

 private:
  struct UnitScope {
    Unit* unit;
    MacroDef* macro;
    std::unordered_map<std::string_view, std::uint32_t> free;
  };
  struct Binding {
    std::uint32_t slot;
    bool parameter;
    bool starts_missing;
  };
  /// The branches of one `if` so far.
  struct Branching {
    std::vector<std::string_view> assigned;  ///< in the branch at hand and not before
    std::unordered_map<std::string_view, std::uint32_t> times;
    std::uint32_t branches = 0;
  };
  struct Scope {
    Scope* outer;
    UnitScope* unit;
    ScopeStart* start;
    bool exporting = false;
    Scope* back = nullptr;  ///< what close() returns to
    std::vector<Branching> branchings = {};
    std::unordered_map<std::string_view, Binding> names = {};
    std::vector<std::string_view> order = {};
    std::unordered_set<std::string_view> loaded = {};
    std::unordered_set<std::string_view> assigned = {};  ///< at the point that the parser has reached
    LocalNames* locals = nullptr;                        ///< once asked for
  };
  struct Found {
    Place place;
    const Binding* binding;
    const Scope* scope;
  };
  struct Load {
    NameExpr* name;
    const Scope* scope;
    bool settled;  ///< it has been set by then, whatever way was taken
  };
  static Found find(const Scope* scope, std::string_view name);
  /// Whether the name, as long as it is not set in its scope, is asked of the host.
  static bool falls_through(Found found, std::string_view name);
  bool means_itself(const Load& load) const;
  std::uint32_t bind(Scope& scope, std::string_view name, bool parameter);

  Program& program_;
  std::deque<UnitScope> units_;
  std::deque<Scope> scopes_;
  Scope* now_ = nullptr;
  std::vector<Scope*> suspended_;
  std::vector<Load> loads_;
};

}  // namespace mapflow::jinja::detail
