// What all of the parser uses: tokens, nodes, constants, and what conditions say about names.
#include <algorithm>
#include <memory>

#include "jinja/bigint.h"
#include "jinja/parser.h"
#include "jinja/vm.h"

namespace mapflow::jinja::detail {

const void* keep_big(Program& program, Big big) {
  return program.bigs.emplace_back(std::make_shared<const Big>(std::move(big))).get();
}

Parser::Nested::Nested(Parser& parser) : parser(parser) {
  if (++parser.depth_ > parser.environment_.options.limits.nesting) parser.too_deep(parser.now().at);
}

void Parser::too_deep(std::uint32_t at) const {
  throw Failure{FailureClass::limit, "the template is nested more deeply than its limit allows", {}, &program_, at};
}

void Parser::fail(std::string message, const Token& at, std::string hint) const {
  throw Failure{FailureClass::syntax, std::move(message), std::move(hint), &program_, at.at};
}

const Token& Parser::advance() {
  const Token& token = tokens_[at_];
  if (at_ + 1 < tokens_.size()) ++at_;
  return token;
}

bool Parser::skip_if(Tok type) {
  if (now().type != type) return false;
  advance();
  return true;
}

bool Parser::skip_if_name(std::string_view name) {
  if (!now().is_name(name)) return false;
  advance();
  return true;
}

std::string Parser::unexpected_end(std::string_view expected) const {
  return std::string("unexpected end of ") + (program_.bare ? "the expression" : "template") + ", expected " +
         std::string(expected);
}

const Token& Parser::expect(Tok type, const char* what) {
  if (now().type != type) {
    if (now().type == Tok::end) fail(unexpected_end(what));
    fail(std::string("expected ") + what + ", got " + describe(now()));
  }
  return advance();
}

void Parser::expect_name(std::string_view name) {
  if (!now().is_name(name)) fail("expected '" + std::string(name) + "', got " + describe(now()));
  advance();
}

// --- making nodes -------------------------------------------------------------------------------------------------

const Expr* Parser::constant(std::uint32_t at, Cell cell) { return program_.make<ConstExpr>(at, cell); }

NameExpr* Parser::name(const Token& token) {
  auto* made = program_.make<NameExpr>(token.at, token.text);
  made->use = static_cast<std::int32_t>(program_.uses.size());
  program_.uses.push_back({made, {}, false, false});
  scopes_.load(made);
  return made;
}

const Expr* Parser::finish(Expr* made, std::initializer_list<const Expr*> children, bool foldable) {
  for (const Expr* child : children) {
    if (!child) continue;
    made->depth = std::max(made->depth, child->depth + 1);
    foldable = foldable && child->constant();
  }
  if (made->depth > environment_.options.limits.nesting) too_deep(made->at);
  return foldable ? fold(made) : made;
}

const Expr* Parser::finish(Expr* made, const std::vector<const Expr*>& children, bool foldable) {
  for (const Expr* child : children) {
    made->depth = std::max(made->depth, child->depth + 1);
    foldable = foldable && child->constant();
  }
  if (made->depth > environment_.options.limits.nesting) too_deep(made->at);
  return foldable ? fold(made) : made;
}

std::vector<const Expr*> Parser::children_of(const Expr* base, const CallArgs& args) const {
  std::vector<const Expr*> children;
  if (base) children.push_back(base);
  children.insert(children.end(), args.positional.begin(), args.positional.end());
  for (const auto& [key, value] : args.named) children.push_back(value);
  if (args.star) children.push_back(args.star);
  if (args.star_star) children.push_back(args.star_star);
  return children;
}

// Evaluates what cannot change. What fails is left to fail when it is run, if it ever is.
const Expr* Parser::fold(Expr* made) {
  static constexpr std::size_t kLargest = 4096;
  Limits limits;
  limits.instructions = std::min<std::uint64_t>(10'000, fold_fuel_);
  limits.memory_bytes = 1u << 20;
  limits.integer_bits = environment_.options.limits.integer_bits;
  limits.range_items = 0;
  const ValueScope nothing{Value()};
  Vm vm(program_, nothing, limits);
  try {
    const Cell cell = made->eval(vm);
    fold_fuel_ -= std::min(fold_fuel_, limits.instructions - vm.fuel + 5);
    if (cell.is_text() || cell.is(Kind::bigint)) {
      const std::size_t bytes = 64 + (cell.is_text() ? cell.size : limits.integer_bits / 8);
      if (bytes > kLargest || bytes > fold_bytes_) return made;
      fold_bytes_ -= bytes;
    }
    switch (cell.kind) {
      case Kind::none:
      case Kind::boolean:
      case Kind::integer:
      case Kind::number: return constant(made->at, cell);
      case Kind::text:
        return constant(made->at, Cell::borrowed(program_.keep(std::string(cell.text())), cell.is_markup()));
      case Kind::bigint: return constant(made->at, Cell::made(Kind::bigint, keep_big(program_, *cell.as<Big>())));
      default: return made;
    }
  } catch (const Failure&) {
    fold_fuel_ -= std::min(fold_fuel_, limits.instructions - vm.fuel + 100);
    return made;
  }
}

// --- what is known to be defined ----------------------------------------------------------------------------------

void Parser::asserted(const Expr* condition, bool holds, std::vector<Known>& out) const {
  static constexpr std::size_t kMostKnown = 64;
  if (out.size() >= kMostKnown) return;
  if (const auto* test = dynamic_cast<const TestExpr*>(condition)) {
    const bool says_defined = (test->asks_defined && holds) || (test->asks_undefined && !holds);
    if (says_defined && test->base->use >= 0) {
      const NameUse& use = program_.uses[static_cast<std::size_t>(test->base->use)];
      out.push_back({use.name->name, use.path});
    }
  } else if (const auto* negated = dynamic_cast<const NotExpr*>(condition)) {
    asserted(negated->operand, !holds, out);
  } else if (const auto* logic = dynamic_cast<const LogicExpr*>(condition)) {
    // All of an `and` hold where it holds, none of an `or` where it does not.
    if (logic->decides_on != holds)
      for (const Expr* operand : logic->operands) asserted(operand, holds, out);
  }
}

void Parser::guard(const std::vector<Known>& known, std::size_t first_use) {
  for (std::size_t i = first_use; i < program_.uses.size(); ++i) {
    NameUse& use = program_.uses[i];
    for (const Known& each : known)
      if (use.name->name == each.name &&
          std::equal(use.path.begin(),
                     use.path.begin() + static_cast<std::ptrdiff_t>(std::min(use.path.size(), each.path.size())),
                     each.path.begin()))
        use.guarded = true;
  }
}

}  // namespace mapflow::jinja::detail
