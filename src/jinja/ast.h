// The tree that a template is compiled into and run from.
//
// There is no separate byte code: every node evaluates itself, names are already slots, attribute names have met the
// method tables, filters and tests are already functions, and what is constant has been folded away.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "jinja/cell.h"
#include "jinja/jinja.h"

namespace mapflow::jinja::detail {

struct Unit;

struct Node {
  explicit Node(std::uint32_t at) : at(at) {}
  virtual ~Node() = default;
  std::uint32_t at;  ///< offset in the source, of the token that names what can go wrong
};

struct Expr : Node {
  using Node::Node;
  virtual Cell eval(Vm& vm) const = 0;
  virtual const Cell* constant() const { return nullptr; }
  std::uint32_t depth = 1;  ///< levels of nodes from here down
  std::int32_t use = -1;    ///< the NameUse that this expression is: a name, and constant steps into it
};

enum class Flow : std::uint8_t { next, leave, again };

struct Stmt : Node {
  using Node::Node;
  virtual Flow run(Vm& vm) const = 0;
};
using Body = std::vector<const Stmt*>;

Flow run_body(const Body& body, Vm& vm);

/// Where a name lives: so many units out, in that slot.
struct Place {
  std::uint32_t up = 0;
  std::uint32_t slot = 0;
};

/// The names that a scope sets, and the scope around it: what an included template sees of where it stands.
struct LocalNames {
  std::vector<std::pair<std::string_view, std::uint32_t>> slots;
  const LocalNames* outer = nullptr;
  bool outer_is_another_unit = false;
};

/// What the slots of a scope hold when it is entered.
struct SlotStart {
  enum class From : std::uint8_t { outer, scope, nothing } from;
  std::uint32_t slot;
  Place outer;
};
using ScopeStart = std::vector<SlotStart>;

void start_scope(const ScopeStart& start, Vm& vm);

/// A body with a frame of its own: a template, a block, a macro, a caller, a recursive loop.
struct Unit {
  Body body;
  std::uint32_t slots = 0;
  bool captured = false;  ///< something inside may outlive a call and still need the frame
  ScopeStart start;       ///< for the slots that do not start as "look it up"
};

/// An attribute's name, and the methods it would be, by the type it may be asked of.
enum class MethodHolder : std::uint8_t { text, list, tuple, dict, integer, number, view, count };
struct AttrName {
  std::string_view name;
  std::array<const FunctionSpec*, static_cast<std::size_t>(MethodHolder::count)> methods{};
};
AttrName attr_name(std::string_view name);

struct CallArgs {
  std::vector<const Expr*> positional;
  std::vector<std::pair<std::string_view, const Expr*>> named;
  const Expr* star = nullptr;
  const Expr* star_star = nullptr;
};

// --- expressions --------------------------------------------------------------------------------------------------

struct ConstExpr final : Expr {
  ConstExpr(std::uint32_t at, Cell cell) : Expr(at), cell(cell) {}
  Cell eval(Vm&) const override { return cell; }
  const Cell* constant() const override { return &cell; }
  Cell cell;
};

struct NameExpr final : Expr {
  NameExpr(std::uint32_t at, std::string_view name) : Expr(at), name(name) {}
  Cell eval(Vm& vm) const override;
  std::string_view name;
  Place place;
};

struct GetAttrExpr final : Expr {
  GetAttrExpr(std::uint32_t at, const Expr* base, AttrName attr) : Expr(at), base(base), attr(attr) {}
  Cell eval(Vm& vm) const override;
  const Expr* base;
  AttrName attr;
  bool called = false;
};

struct GetItemExpr final : Expr {
  GetItemExpr(std::uint32_t at, const Expr* base, const Expr* key) : Expr(at), base(base), key(key) {}
  Cell eval(Vm& vm) const override;
  const Expr* base;
  const Expr* key;
};

struct SliceExpr final : Expr {
  SliceExpr(std::uint32_t at, const Expr* base, const Expr* start, const Expr* stop, const Expr* step)
      : Expr(at), base(base), start(start), stop(stop), step(step) {}
  Cell eval(Vm& vm) const override;
  const Expr* base;
  const Expr* start;  ///< each may be null
  const Expr* stop;
  const Expr* step;
};

struct CallExpr final : Expr {
  CallExpr(std::uint32_t at, const Expr* callee, CallArgs args) : Expr(at), callee(callee), args(std::move(args)) {}
  Cell eval(Vm& vm) const override { return call(vm, Cell::unset()); }
  /// `caller`, unless unset, is handed to the macro as its caller.
  Cell call(Vm& vm, Cell caller) const;
  const Expr* callee;
  const GetAttrExpr* attribute = nullptr;  ///< the callee, when it is one: maybe a method
  CallArgs args;
};

struct FilterExpr final : Expr {
  FilterExpr(std::uint32_t at, std::string_view name, const Expr* base, CallArgs args)
      : Expr(at), name(name), base(base), args(std::move(args)) {}
  Cell eval(Vm& vm) const override;
  Cell apply(Vm& vm, Cell value) const;
  std::string_view name;
  const Expr* base;  ///< null in filter blocks
  CallArgs args;
  const FunctionSpec* native = nullptr;
  const HostFunction* host = nullptr;  ///< both null: unknown, an error when run
};

struct TestExpr final : Expr {
  TestExpr(std::uint32_t at, std::string_view name, const Expr* base, CallArgs args)
      : Expr(at), name(name), base(base), args(std::move(args)) {}
  Cell eval(Vm& vm) const override;
  std::string_view name;
  const Expr* base;
  CallArgs args;
  const FunctionSpec* native = nullptr;
  const HostFunction* host = nullptr;
  bool asks_defined = false;  ///< `is defined` and `is undefined`, which are answered in place
  bool asks_undefined = false;
};

struct NotExpr final : Expr {
  NotExpr(std::uint32_t at, const Expr* operand) : Expr(at), operand(operand) {}
  Cell eval(Vm& vm) const override;
  const Expr* operand;
};

struct SignExpr final : Expr {
  SignExpr(std::uint32_t at, bool negative, const Expr* operand) : Expr(at), negative(negative), operand(operand) {}
  Cell eval(Vm& vm) const override;
  bool negative;
  const Expr* operand;
};

enum class Arithmetic : std::uint8_t { add, sub, mul, div, floordiv, mod, pow };
struct ArithmeticExpr final : Expr {
  ArithmeticExpr(std::uint32_t at, Arithmetic op, const Expr* left, const Expr* right)
      : Expr(at), op(op), left(left), right(right) {}
  Cell eval(Vm& vm) const override;
  Arithmetic op;
  const Expr* left;
  const Expr* right;
};

enum class Comparison : std::uint8_t { eq, ne, lt, le, gt, ge, in, not_in };
struct CompareExpr final : Expr {
  struct Step {
    Comparison op;
    const Expr* right;
  };
  CompareExpr(std::uint32_t at, const Expr* left, std::vector<Step> steps)
      : Expr(at), left(left), steps(std::move(steps)) {}
  Cell eval(Vm& vm) const override;
  const Expr* left;
  std::vector<Step> steps;
};

/// `a and b and …`, `a or b or …`: the first operand that decides.
struct LogicExpr final : Expr {
  LogicExpr(std::uint32_t at, bool decides_on, std::vector<const Expr*> operands)
      : Expr(at), decides_on(decides_on), operands(std::move(operands)) {}
  Cell eval(Vm& vm) const override;
  bool decides_on;  ///< true for `or`
  std::vector<const Expr*> operands;
};

struct ConcatExpr final : Expr {
  ConcatExpr(std::uint32_t at, std::vector<const Expr*> parts) : Expr(at), parts(std::move(parts)) {}
  Cell eval(Vm& vm) const override;
  std::vector<const Expr*> parts;
};

struct ConditionalExpr final : Expr {
  ConditionalExpr(std::uint32_t at, const Expr* test, const Expr* yes, const Expr* no)
      : Expr(at), test(test), yes(yes), no(no) {}
  Cell eval(Vm& vm) const override;
  const Expr* test;
  const Expr* yes;
  const Expr* no;  ///< null: undefined
};

struct SequenceExpr final : Expr {
  SequenceExpr(std::uint32_t at, bool tuple, std::vector<const Expr*> items)
      : Expr(at), tuple(tuple), items(std::move(items)) {}
  Cell eval(Vm& vm) const override;
  bool tuple;
  std::vector<const Expr*> items;
};

struct DictExpr final : Expr {
  DictExpr(std::uint32_t at, std::vector<std::pair<const Expr*, const Expr*>> entries)
      : Expr(at), entries(std::move(entries)) {}
  Cell eval(Vm& vm) const override;
  std::vector<std::pair<const Expr*, const Expr*>> entries;
};

// --- assignment ---------------------------------------------------------------------------------------------------

/// What stands left of `=`, or between `for` and `in`: a name, a tuple of targets, or a member of a namespace.
struct Target {
  enum class Form : std::uint8_t { name, tuple, member } form = Form::name;
  std::uint32_t at = 0;
  std::string_view name;   ///< of the name, or of the member
  std::uint32_t slot = 0;  ///< in the frame of the unit that assigns
  bool exported = false;   ///< at the top level of a template: also visible to blocks and importers
  std::vector<Target> parts;
  const NameExpr* space = nullptr;  ///< the namespace of a member
};

void assign(const Target& target, Cell value, Vm& vm);

// --- statements ---------------------------------------------------------------------------------------------------

/// The text of a template between its tags.
struct TextStmt final : Stmt {
  TextStmt(std::uint32_t at, std::string_view text) : Stmt(at), text(text) {}
  Flow run(Vm& vm) const override;
  std::string_view text;
  bool top = false;  ///< at the top level, where a template that extends another prints nothing of its own
};

struct OutputStmt final : Stmt {
  OutputStmt(std::uint32_t at, const Expr* expr) : Stmt(at), expr(expr) {}
  Flow run(Vm& vm) const override;
  const Expr* expr;
  bool top = false;
};

struct IfStmt final : Stmt {
  using Stmt::Stmt;
  Flow run(Vm& vm) const override;
  std::vector<std::pair<const Expr*, Body>> branches;
  Body otherwise;
};

struct ForStmt final : Stmt {
  using Stmt::Stmt;
  Flow run(Vm& vm) const override;
  /// Walks `items`, at recursion level `depth`; the frame is already the loop's own when it is recursive.
  Flow walk(Vm& vm, Cell items, std::uint32_t depth) const;
  Target target;
  const Expr* iterable = nullptr;
  const Expr* filter = nullptr;  ///< `if` of the loop
  bool recursive = false;
  bool uses_loop = false;
  std::uint32_t loop_slot = 0;
  ScopeStart filter_start;
  ScopeStart body_start;
  ScopeStart else_start;
  Body body;
  Body otherwise;
  Unit unit;  ///< of a recursive loop, whose body is a unit of its own
};

struct SetStmt final : Stmt {
  using Stmt::Stmt;
  Flow run(Vm& vm) const override;
  Target target;
  const Expr* value = nullptr;
};

struct SetBlockStmt final : Stmt {
  using Stmt::Stmt;
  Flow run(Vm& vm) const override;
  Target target;
  std::vector<const FilterExpr*> filters;
  ScopeStart start;
  Body body;
};

struct WithStmt final : Stmt {
  using Stmt::Stmt;
  Flow run(Vm& vm) const override;
  std::vector<std::pair<Target, const Expr*>> bindings;
  ScopeStart start;
  Body body;
};

struct FilterBlockStmt final : Stmt {
  using Stmt::Stmt;
  Flow run(Vm& vm) const override;
  std::vector<const FilterExpr*> filters;
  ScopeStart start;
  Body body;
};

struct AutoescapeStmt final : Stmt {
  using Stmt::Stmt;
  Flow run(Vm& vm) const override;
  const Expr* flag = nullptr;
  ScopeStart start;
  Body body;
};

struct DoStmt final : Stmt {
  DoStmt(std::uint32_t at, const Expr* expr) : Stmt(at), expr(expr) {}
  Flow run(Vm& vm) const override;
  const Expr* expr;
};

struct JumpStmt final : Stmt {
  JumpStmt(std::uint32_t at, Flow flow) : Stmt(at), flow(flow) {}
  Flow run(Vm&) const override { return flow; }
  Flow flow;
};

struct MacroDef {
  struct Parameter {
    std::string_view name;
    std::uint32_t slot = 0;
    const Expr* otherwise = nullptr;  ///< the default, or null
  };
  std::string_view name;  ///< empty for a caller
  std::vector<Parameter> parameters;
  bool takes_caller = false, takes_varargs = false, takes_kwargs = false;
  bool caller_declared = false;  ///< `caller` is among the parameters
  std::uint32_t caller_slot = 0, varargs_slot = 0, kwargs_slot = 0;
  Unit unit;
};

struct MacroStmt final : Stmt {
  using Stmt::Stmt;
  Flow run(Vm& vm) const override;
  MacroDef macro;
  Target target;
};

struct CallBlockStmt final : Stmt {
  using Stmt::Stmt;
  Flow run(Vm& vm) const override;
  const CallExpr* call = nullptr;
  MacroDef caller;
};

struct BlockDef {
  std::string_view name;
  std::uint32_t at = 0;
  bool scoped = false;
  bool required = false;
  Unit unit;
};

struct BlockStmt final : Stmt {
  using Stmt::Stmt;
  Flow run(Vm& vm) const override;
  const BlockDef* block = nullptr;
  const LocalNames* locals = nullptr;  ///< what a scoped block sees of where it stands
  bool top = false;
};

struct ExtendsStmt final : Stmt {
  using Stmt::Stmt;
  Flow run(Vm& vm) const override;
  const Expr* parent = nullptr;
};

struct IncludeStmt final : Stmt {
  using Stmt::Stmt;
  Flow run(Vm& vm) const override;
  const Expr* templates = nullptr;
  bool ignore_missing = false;
  bool with_context = true;
  const LocalNames* locals = nullptr;  ///< null without context
};

struct ImportStmt final : Stmt {
  using Stmt::Stmt;
  Flow run(Vm& vm) const override;
  const Expr* source = nullptr;
  bool with_context = false;
  Target module;                                             ///< of `import … as`
  std::vector<std::pair<std::string_view, Target>> members;  ///< of `from … import`
  const LocalNames* locals = nullptr;                        ///< null without context
};

}  // namespace mapflow::jinja::detail
