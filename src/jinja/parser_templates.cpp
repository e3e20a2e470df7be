// Macros, blocks, and templates within templates.
#include <utility>

#include "jinja/parser.h"
#include "jinja/unicode.h"

namespace mapflow::jinja::detail {

// The parameters of a macro or caller, whose unit is already open.
void Parser::signature(MacroDef& macro) {
  expect(Tok::lparen, "'('");
  bool defaults = false;
  while (now().type != Tok::rparen) {
    if (!macro.parameters.empty()) expect(Tok::comma, "',' or ')'");
    const Token& token = now();
    MacroDef::Parameter parameter;
    parameter.name = target_name();
    for (const auto& other : macro.parameters)
      if (other.name == parameter.name) fail("duplicate argument '" + std::string(parameter.name) + "'", token);
    parameter.slot = scopes_.parameter(parameter.name);
    if (skip_if(Tok::assign)) {
      parameter.otherwise = expression();
      defaults = true;
    } else if (defaults) {
      fail("non-default argument follows default argument");
    }
    if (parameter.name == "caller") macro.caller_declared = true;
    macro.parameters.push_back(parameter);
  }
  expect(Tok::rparen, "')'");
}

void Parser::macro_body(MacroDef& macro, std::string_view end, std::uint32_t at) {
  const std::uint32_t loops = std::exchange(loops_, 0);
  const bool at_top = std::exchange(prints_at_top_, false);
  macro.unit.body = statements({end}, end == "endcall" ? "call" : "macro");
  loops_ = loops;
  prints_at_top_ = at_top;
  advance();
  if (macro.takes_caller && macro.caller_declared)
    for (const auto& parameter : macro.parameters)
      if (parameter.name == "caller" && !parameter.otherwise)
        throw Failure{FailureClass::syntax,
                      "When defining macros or call blocks the special \"caller\" argument must be omitted or be given "
                      "a default.",
                      {},
                      &program_,
                      at};
}

const Stmt* Parser::macro_statement() {
  const std::uint32_t at = advance().at;
  auto* made = program_.make<MacroStmt>(at);
  const Token& token = now();
  made->macro.name = target_name();
  made->target = scopes_.store(made->macro.name, token.at);
  mark_assigned(made->target);
  scopes_.open_unit(made->macro.unit, true, &made->macro);
  signature(made->macro);
  macro_body(made->macro, "endmacro", at);
  scopes_.close();
  return made;
}

const Stmt* Parser::call_statement() {
  const std::uint32_t at = advance().at;
  auto* made = program_.make<CallBlockStmt>(at);
  // The call stands outside of the caller's scope but behind its signature: the signature is read first all the same.
  scopes_.open_unit(made->caller.unit, true, &made->caller);
  if (now().type == Tok::lparen) signature(made->caller);
  scopes_.suspend();
  const Token& start = now();
  made->call = dynamic_cast<const CallExpr*>(expression());
  if (!made->call) fail("expected call", start);
  scopes_.go_on();
  macro_body(made->caller, "endcall", at);
  scopes_.close();
  return made;
}

const Stmt* Parser::block_statement() {
  auto* made = program_.make<BlockStmt>(advance().at);
  made->top = scopes_.at_top();
  const Token& token = expect(Tok::name, "the name of a block");
  BlockDef& block = program_.block_storage.emplace_back();
  block.name = token.text;
  block.at = token.at;
  block.scoped = skip_if_name("scoped");
  block.required = skip_if_name("required");
  if (now().type == Tok::sub) fail("block names may not contain hyphens; use an underscore instead");
  if (program_.blocks.contains(block.name)) fail("block '" + std::string(block.name) + "' defined twice", token);
  program_.blocks.emplace(block.name, &block);
  if (block.scoped) made->locals = scopes_.locals();
  const std::uint32_t loops = std::exchange(loops_, 0);
  const bool at_top = std::exchange(prints_at_top_, false);
  scopes_.open_unit(block.unit, false);
  block.unit.body = statements({"endblock"}, "block");
  scopes_.close();
  loops_ = loops;
  prints_at_top_ = at_top;
  advance();
  skip_if_name(block.name);
  if (block.required)
    for (const Stmt* part : block.unit.body) {
      const auto* text = dynamic_cast<const TextStmt*>(part);
      if (!text || !unicode::strip(text->text).empty())
        fail("Required blocks can only contain comments or whitespace", token);
    }
  made->block = &block;
  program_.calls_out = true;
  return made;
}

bool Parser::import_context(bool otherwise) {
  if ((!now().is_name("with") && !now().is_name("without")) || !ahead().is_name("context")) return otherwise;
  const bool with = advance().text == "with";
  advance();
  return with;
}

template <class Statement>
void Parser::read_context(Statement& made, bool otherwise) {
  made.with_context = import_context(otherwise);
  if (made.with_context) {
    made.locals = scopes_.locals();
    program_.shares_scope = true;
  }
  program_.calls_out = true;
}

const Stmt* Parser::include_statement() {
  auto* made = program_.make<IncludeStmt>(advance().at);
  made->templates = expression();
  if (now().is_name("ignore") && ahead().is_name("missing")) {
    advance();
    advance();
    made->ignore_missing = true;
  }
  read_context(*made, true);
  return made;
}

const Stmt* Parser::import_statement() {
  auto* made = program_.make<ImportStmt>(advance().at);
  made->source = expression();
  expect_name("as");
  const Token& token = now();
  made->module = scopes_.store(target_name(), token.at);
  read_context(*made, false);
  mark_assigned(made->module);
  return made;
}

const Stmt* Parser::from_statement() {
  auto* made = program_.make<ImportStmt>(advance().at);
  made->source = expression();
  expect_name("import");
  bool context_given = false;
  while (!context_given) {
    if (!made->members.empty()) expect(Tok::comma, "','");
    const Token& token = now();
    if ((token.is_name("with") || token.is_name("without")) && ahead().is_name("context")) break;
    const std::string_view member = target_name();
    if (member.starts_with('_')) fail("names starting with an underline can not be imported", token);
    std::string_view alias = member;
    if (skip_if_name("as")) alias = target_name();
    made->members.emplace_back(member, scopes_.store(alias, token.at));
    context_given = (now().is_name("with") || now().is_name("without")) && ahead().is_name("context");
    if (!context_given && now().type != Tok::comma) break;
  }
  read_context(*made, false);
  for (const auto& [member, target] : made->members) mark_assigned(target);
  return made;
}

}  // namespace mapflow::jinja::detail
