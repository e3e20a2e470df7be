// Tokens to a tree. Names are resolved, filters and tests looked up and constants folded on the way.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "jinja/environment_state.h"
#include "jinja/failure.h"
#include "jinja/lexer.h"
#include "jinja/program.h"
#include "jinja/scopes.h"

namespace mapflow::jinja::detail {

class Parser {
 public:
  Parser(Program& program, const EnvironmentState& environment);

  /// Each parses the whole of program.source and fills in the program. Throws Failures.
  void parse_template();
  void parse_bare_expression();

 private:
  // --- tokens
  const Token& now() const { return tokens_[at_]; }
  const Token& ahead() const { return tokens_[std::min(at_ + 1, tokens_.size() - 1)]; }
  const Token& advance();
  bool skip_if(Tok type);
  bool skip_if_name(std::string_view name);
  const Token& expect(Tok type, const char* what);
  void expect_name(std::string_view name);
  std::string unexpected_end(std::string_view expected) const;
  [[noreturn]] void fail(std::string message, const Token& at, std::string hint = {}) const;
  [[noreturn]] void fail(std::string message) const { fail(std::move(message), now()); }

  // --- expressions
  const Expr* expression(bool with_condition = true);
  const Expr* conditional();
  const Expr* logical_or();
  /// Operands of one precedence with `word` (and, or) between them.
  const Expr* logic(std::string_view word, const Expr* (Parser::*operand)());
  const Expr* logical_and();
  const Expr* logical_not();
  const Expr* comparison();
  const Expr* sum();
  const Expr* concatenation();
  const Expr* product();
  const Expr* power();
  const Expr* unary(bool with_filter = true);
  const Expr* primary();
  const Expr* text_literal();
  const Expr* number_literal();
  const Expr* list_literal();
  const Expr* dict_literal();
  const Expr* tuple(bool with_condition = true, std::string_view end_name = {}, bool parentheses = false);
  const Expr* postfix(const Expr* base);
  const Expr* filters_and_tests(const Expr* base);
  const Expr* subscript(const Expr* base);
  const Expr* call(const Expr* callee);
  const FilterExpr* filter(const Expr* base);
  const Expr* test(const Expr* base);
  CallArgs call_args();
  bool at_tuple_end(std::string_view end_name) const;

  // --- making nodes
  const Expr* constant(std::uint32_t at, Cell cell);
  NameExpr* name(const Token& token);
  /// Sets the depth from the children's and folds when all of them are constants.
  const Expr* finish(Expr* made, std::initializer_list<const Expr*> children, bool foldable = true);
  const Expr* finish(Expr* made, const std::vector<const Expr*>& children, bool foldable);
  std::vector<const Expr*> children_of(const Expr* base, const CallArgs& args) const;
  const Expr* fold(Expr* made);
  [[noreturn]] void too_deep(std::uint32_t at) const;

  // --- which names are known to be defined where
  struct Known {
    std::string_view name;
    std::vector<std::string_view> path;
  };
  void asserted(const Expr* condition, bool holds, std::vector<Known>& out) const;
  void guard(const std::vector<Known>& known, std::size_t first_use);

  // --- statements
  Body statements(std::initializer_list<std::string_view> ends, std::string_view tag);
  void block_content(Body& body, std::initializer_list<std::string_view> ends);
  void statement(Body& body);
  bool extension_statement(Body& body);
  const Stmt* for_statement();
  bool ends_in_recursive() const;
  bool body_names_loop() const;
  const Stmt* if_statement();
  const Stmt* set_statement();
  const Stmt* with_statement();
  const Stmt* macro_statement();
  const Stmt* call_statement();
  const Stmt* filter_statement();
  const Stmt* autoescape_statement();
  const Stmt* block_statement();
  const Stmt* include_statement();
  const Stmt* import_statement();
  const Stmt* from_statement();
  void print_statement(Body& body);
  /// Unknown filters and tests met since `first` stand under a condition: they fail only when they run.
  void soften(std::size_t first);
  /// They stand in a loop or a macro, which no condition further out excuses.
  void harden(std::size_t first);
  void refuse_unknown() const;
  [[noreturn]] void unknown_tag();
  void end_of_tag();
  bool import_context(bool otherwise);
  /// Reads `with context` or `without context` into an include or import.
  template <class Statement>
  void read_context(Statement& made, bool otherwise);
  void signature(MacroDef& macro);
  void macro_body(MacroDef& macro, std::string_view end, std::uint32_t at);
  std::vector<const FilterExpr*> filter_chain(bool start_inline);
  Target target(std::string_view end_name = {}, bool with_namespace = false, bool with_tuple = true);
  std::string_view target_name();
  void mark_stored(Target& target, bool parameter);
  void mark_assigned(const Target& target);

  struct Nested {
    explicit Nested(Parser& parser);
    ~Nested() { --parser.depth_; }
    Nested(const Nested&) = delete;
    Nested& operator=(const Nested&) = delete;
    Parser& parser;
  };

  Program& program_;
  const EnvironmentState& environment_;
  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  Scopes scopes_;
  std::uint32_t depth_ = 0;
  std::uint64_t fold_fuel_ = 1'000'000;  ///< what folding may still cost, in instructions …
  std::size_t fold_bytes_ = 256u << 10;  ///< … and in bytes of constants
  bool prints_at_top_ = false;           ///< what is printed here is not, in a template that extends another
  std::uint32_t loops_ = 0;              ///< loops around here in this unit, for break and continue
  struct Unknown {
    FilterExpr* filter;
    TestExpr* test;
    bool hard;
  };
  std::vector<Unknown> unknown_;  ///< filters and tests nobody knows, that no condition is around
  std::vector<std::string_view> open_tags_;
  std::vector<std::vector<std::string_view>> ends_;
};

}  // namespace mapflow::jinja::detail
