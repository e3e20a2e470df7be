// Templates and statements.
#include <algorithm>
#include <utility>

#include "jinja/nearest.h"
#include "jinja/parser.h"
#include "jinja/unicode.h"

namespace mapflow::jinja::detail {

Parser::Parser(Program& program, const EnvironmentState& environment)
    : program_(program), environment_(environment), scopes_(program) {}

void Parser::parse_bare_expression() {
  tokens_ = tokenize(program_, environment_.options, true);
  program_.bare = true;
  scopes_.open_unit(program_.root, false, nullptr, true);
  program_.expression = expression();
  if (now().type != Tok::end) fail("unexpected " + describe(now()) + " after the expression");
  refuse_unknown();
  scopes_.close();
  scopes_.resolve();
}

void Parser::parse_template() {
  tokens_ = tokenize(program_, environment_.options, false);
  scopes_.open_unit(program_.root, false, nullptr, true);
  prints_at_top_ = true;
  block_content(program_.root.body, {});
  refuse_unknown();
  scopes_.close();
  scopes_.resolve();
  if (program_.root.body.size() == 1)
    if (const auto* output = dynamic_cast<const OutputStmt*>(program_.root.body[0])) program_.expression = output->expr;
}

// --- bodies -------------------------------------------------------------------------------------------------------

void Parser::block_content(Body& body, std::initializer_list<std::string_view> ends) {
  const bool top = prints_at_top_;
  while (now().type != Tok::end) {
    const Token& token = now();
    if (token.type == Tok::data) {
      advance();
      auto* text = program_.make<TextStmt>(token.at, token.text);
      text->top = top;
      body.push_back(text);
    } else if (token.type == Tok::variable_begin) {
      advance();
      const std::uint32_t at = now().at;
      const Expr* value = tuple();
      expect(Tok::variable_end, "'}}'");
      auto* output = program_.make<OutputStmt>(at, value);
      output->top = top;
      body.push_back(output);
    } else {
      advance();
      if (now().type == Tok::name && std::find(ends.begin(), ends.end(), now().text) != ends.end()) return;
      statement(body);
      end_of_tag();
    }
  }
}

void Parser::end_of_tag() { expect(Tok::block_end, "'%}'"); }

// From after a tag's words to one of `ends`, which is left as the token at hand.
Body Parser::statements(std::initializer_list<std::string_view> ends, std::string_view tag) {
  const Nested nested(*this);
  skip_if(Tok::colon);
  end_of_tag();
  Body body;
  ends_.emplace_back(ends);
  open_tags_.push_back(tag);
  block_content(body, ends);
  if (now().type == Tok::end) unknown_tag();
  ends_.pop_back();
  open_tags_.pop_back();
  return body;
}

// At a tag that does not belong here, or at the end of a template that has open tags.
void Parser::unknown_tag() {
  std::string expected;
  if (!ends_.empty())
    for (const std::string_view end : ends_.back())
      expected += (expected.empty() ? "'" : " or '") + std::string(end) + "'";
  const std::string open =
      open_tags_.empty() ? "" : "; the innermost open block is '" + std::string(open_tags_.back()) + "'";
  if (now().type == Tok::end) fail(unexpected_end(expected + open));
  std::vector<std::string> known = {"for",   "if",      "set",     "with",   "macro", "call",  "filter", "autoescape",
                                    "block", "extends", "include", "import", "from",  "print", "raw"};
  if (environment_.options.extension_do) known.emplace_back("do");
  if (environment_.options.extension_loop_controls) known.insert(known.end(), {"break", "continue"});
  if (!ends_.empty())
    for (const std::string_view end : ends_.back()) known.emplace_back(end);
  const std::string meant = did_you_mean(now().text, known);
  fail("unknown tag '" + std::string(now().text) + "'" + meant +
       (expected.empty() ? "" : ", expected " + expected + open));
}

void Parser::statement(Body& body) {
  if (now().type != Tok::name) fail("expected the name of a tag, got " + describe(now()));
  const std::size_t first_unknown = unknown_.size();
  const std::string_view tag = now().text;
  const auto one = [&](const Stmt* made) { body.push_back(made); };
  if (tag == "if") {
    one(if_statement());
    soften(first_unknown);
    return;
  }
  if (tag == "for")
    one(for_statement());
  else if (tag == "set")
    return one(set_statement());
  else if (tag == "with")
    one(with_statement());
  else if (tag == "macro")
    one(macro_statement());
  else if (tag == "call")
    one(call_statement());
  else if (tag == "filter")
    one(filter_statement());
  else if (tag == "autoescape")
    one(autoescape_statement());
  else if (tag == "block")
    one(block_statement());
  else if (tag == "include")
    return one(include_statement());
  else if (tag == "import")
    return one(import_statement());
  else if (tag == "from")
    return one(from_statement());
  else if (tag == "print")
    return print_statement(body);
  else if (tag == "extends") {
    const std::uint32_t at = advance().at;
    if (!scopes_.at_top() || !scopes_.in_unit_root()) fail("'extends' belongs at the top level of a template");
    auto* made = program_.make<ExtendsStmt>(at);
    made->parent = expression();
    program_.calls_out = true;
    program_.shares_scope = true;
    return one(made);
  } else if (!extension_statement(body)) {
    unknown_tag();
  }
  harden(first_unknown);
}

bool Parser::extension_statement(Body& body) {
  if (environment_.options.extension_do && now().text == "do") {
    const std::uint32_t at = advance().at;
    body.push_back(program_.make<DoStmt>(at, tuple()));
    return true;
  }
  const bool leave = now().text == "break", again = now().text == "continue";
  if (!environment_.options.extension_loop_controls || (!leave && !again)) return false;
  if (loops_ == 0) fail("'" + std::string(now().text) + "' outside of a loop");
  body.push_back(program_.make<JumpStmt>(advance().at, leave ? Flow::leave : Flow::again));
  return true;
}

void Parser::soften(std::size_t first) {
  const auto from = unknown_.begin() + static_cast<std::ptrdiff_t>(first);
  unknown_.erase(std::remove_if(from, unknown_.end(), [](const Unknown& each) { return !each.hard; }), unknown_.end());
}

void Parser::harden(std::size_t first) {
  for (std::size_t i = first; i < unknown_.size(); ++i) unknown_[i].hard = true;
}

void Parser::refuse_unknown() const {
  if (unknown_.empty()) return;
  const auto& [filter, test, hard] = unknown_.front();
  const std::string name(filter ? filter->name : test->name);
  const std::vector<std::string> known = filter ? environment_.filter_names() : environment_.test_names();
  throw Failure{FailureClass::syntax,
                std::string("no ") + (filter ? "filter" : "test") + " named '" + name + "'" + did_you_mean(name, known),
                {},
                &program_,
                filter ? filter->at : test->at};
}

// --- targets ------------------------------------------------------------------------------------------------------

std::string_view Parser::target_name() {
  const Token& token = expect(Tok::name, "a name");
  static constexpr std::string_view reserved[] = {"true", "false", "none", "True", "False", "None"};
  if (std::find(std::begin(reserved), std::end(reserved), token.text) != std::end(reserved))
    fail("can't assign to '" + std::string(token.text) + "'", token);
  return token.text;
}

// Parses what is assigned to; the names are stored by mark_stored, once the scope they belong to is open.
Target Parser::target(std::string_view end_name, bool with_namespace, bool with_tuple) {
  const Nested nested(*this);
  Target made;
  made.at = now().at;
  std::vector<Target> parts;
  bool is_tuple = false;
  while (true) {
    if (!parts.empty()) expect(Tok::comma, "','");
    if (at_tuple_end(end_name)) break;
    Target part;
    part.at = now().at;
    if (skip_if(Tok::lparen)) {
      part = target({}, with_namespace);
      expect(Tok::rparen, "')'");
    } else if (now().type == Tok::name && with_namespace && ahead().type == Tok::dot) {
      const Token& space = advance();
      advance();
      part.form = Target::Form::member;
      part.space = name(space);
      part.name = expect(Tok::name, "a name").text;
    } else if (now().type == Tok::name) {
      part.name = target_name();
    } else {
      fail("can't assign to " + describe(now()));
    }
    parts.push_back(std::move(part));
    if (!with_tuple || now().type != Tok::comma) break;
    is_tuple = true;
  }
  if (parts.empty() && !is_tuple) fail("expected a name, got " + describe(now()));
  if (!is_tuple) return std::move(parts[0]);
  made.form = Target::Form::tuple;
  made.parts = std::move(parts);
  return made;
}

void Parser::mark_stored(Target& target, bool parameter) {
  if (target.form == Target::Form::member) return;
  for (Target& part : target.parts) mark_stored(part, parameter);
  if (target.form != Target::Form::name) return;
  if (parameter)
    target.slot = scopes_.parameter(target.name);
  else
    target = scopes_.store(target.name, target.at);
}

void Parser::mark_assigned(const Target& target) {
  for (const Target& part : target.parts) mark_assigned(part);
  if (target.form == Target::Form::name) scopes_.assigned(target.name);
}

// --- statements ---------------------------------------------------------------------------------------------------

const Stmt* Parser::if_statement() {
  auto* made = program_.make<IfStmt>(advance().at);
  std::vector<Known> refuted;
  bool exhaustive = false;
  scopes_.enter_branches();
  while (true) {
    const Expr* test = tuple(false);
    const std::size_t first_use = program_.uses.size();
    Body body = statements({"elif", "else", "endif"}, "if");
    std::vector<Known> known = refuted;
    asserted(test, true, known);
    guard(known, first_use);
    asserted(test, false, refuted);
    made->branches.emplace_back(test, std::move(body));
    scopes_.end_branch();
    const std::string_view end = advance().text;
    if (end == "elif") continue;
    if (end == "else") {
      const std::size_t else_use = program_.uses.size();
      made->otherwise = statements({"endif"}, "if");
      guard(refuted, else_use);
      scopes_.end_branch();
      exhaustive = true;
      advance();
    }
    break;
  }
  scopes_.leave_branches(exhaustive);
  return made;
}

static bool names_loop(const Target& target) {
  if (target.form == Target::Form::name && target.name == "loop") return true;
  return std::any_of(target.parts.begin(), target.parts.end(), names_loop);
}

// The slots of a loop's target, known in another scope of the same unit as well.
static void share(Scopes& scopes, const Target& target) {
  for (const Target& part : target.parts) share(scopes, part);
  if (target.form == Target::Form::name) scopes.parameter(target.name, target.slot);
}

// Whether the tag at hand ends in the word `recursive`, as a word of the loop and not as a name in an expression.
bool Parser::ends_in_recursive() const {
  std::size_t end = at_;
  while (tokens_[end].type != Tok::block_end && tokens_[end].type != Tok::end) ++end;
  if (end < at_ + 2 || !tokens_[end - 1].is_name("recursive")) return false;
  const Token& before = tokens_[end - 2];
  static constexpr std::string_view words[] = {"if", "and", "or", "not", "in", "is", "else"};
  if (before.type == Tok::name) return std::find(std::begin(words), std::end(words), before.text) == std::end(words);
  return before.type == Tok::string || before.type == Tok::integer || before.type == Tok::number ||
         before.type == Tok::rparen || before.type == Tok::rbracket || before.type == Tok::rbrace;
}

// Whether the body of the loop whose first tag ends here may ask for `loop`, or there is a scoped block in it or in its
// `else`. Only then is there a `loop`, to be seen by templates that are included as well.
bool Parser::body_names_loop() const {
  int depth = 0;  // of `for` and `if` within
  bool in_body = true;
  for (std::size_t i = at_; i < tokens_.size(); ++i) {
    if (tokens_[i].type != Tok::name) continue;
    const std::string_view word = tokens_[i].text;
    if ((word == "loop" && in_body) || word == "scoped") return true;
    if (tokens_[i - 1].type != Tok::block_begin) continue;
    if (word == "for" || word == "if") ++depth;
    if (word == "else" && depth == 0) in_body = false;
    if ((word == "endfor" || word == "endif") && depth-- == 0) return false;
  }
  return false;
}

const Stmt* Parser::for_statement() {
  auto* made = program_.make<ForStmt>(advance().at);
  made->target = target("in");
  if (names_loop(made->target)) fail("can't assign to special loop variable in for-loop target");
  expect_name("in");
  made->recursive = ends_in_recursive();
  made->iterable = tuple(false, "recursive");
  const std::uint32_t loops = std::exchange(loops_, loops_ + 1);
  if (made->recursive) scopes_.open_unit(made->unit, true);
  const bool filtered = skip_if_name("if");
  if (filtered) {
    scopes_.open(made->filter_start);
    mark_stored(made->target, true);
    made->filter = expression();
    scopes_.close();
  }
  if (made->recursive) expect_name("recursive");
  scopes_.open(made->body_start);
  if (filtered)
    share(scopes_, made->target);
  else
    mark_stored(made->target, true);
  made->uses_loop = made->recursive || body_names_loop();
  if (made->uses_loop) made->loop_slot = scopes_.parameter("loop");
  made->body = statements({"endfor", "else"}, "for");
  scopes_.close();
  loops_ = loops;
  if (advance().text == "else") {
    scopes_.open(made->else_start);
    made->otherwise = statements({"endfor"}, "for");
    scopes_.close();
    advance();
  }
  if (made->recursive) scopes_.close();
  return made;
}

std::vector<const FilterExpr*> Parser::filter_chain(bool start_inline) {
  std::vector<const FilterExpr*> chain;
  while (start_inline || now().type == Tok::pipe) {
    if (!start_inline) advance();
    start_inline = false;
    chain.push_back(filter(nullptr));
  }
  return chain;
}

const Stmt* Parser::set_statement() {
  const std::size_t first_unknown = unknown_.size();
  const std::uint32_t at = advance().at;
  Target to = target({}, true);
  if (skip_if(Tok::assign)) {
    auto* made = program_.make<SetStmt>(at);
    made->value = tuple();
    mark_stored(to, false);
    mark_assigned(to);
    made->target = std::move(to);
    return made;
  }
  auto* made = program_.make<SetBlockStmt>(at);
  mark_stored(to, false);
  made->target = std::move(to);
  made->filters = filter_chain(false);
  scopes_.open(made->start);
  const bool at_top = std::exchange(prints_at_top_, false);
  made->body = statements({"endset"}, "set");
  prints_at_top_ = at_top;
  scopes_.close();
  mark_assigned(made->target);
  advance();
  harden(first_unknown);
  return made;
}

const Stmt* Parser::with_statement() {
  auto* made = program_.make<WithStmt>(advance().at);
  while (now().type != Tok::block_end) {
    if (!made->bindings.empty()) expect(Tok::comma, "',' or '%}'");
    Target to = target({});
    expect(Tok::assign, "'='");
    made->bindings.emplace_back(std::move(to), expression());
  }
  scopes_.open(made->start);
  for (auto& [to, value] : made->bindings) mark_stored(to, true);
  made->body = statements({"endwith"}, "with");
  scopes_.close();
  advance();
  return made;
}

const Stmt* Parser::filter_statement() {
  auto* made = program_.make<FilterBlockStmt>(advance().at);
  made->filters = filter_chain(true);
  scopes_.open(made->start);
  made->body = statements({"endfilter"}, "filter");
  scopes_.close();
  advance();
  return made;
}

const Stmt* Parser::autoescape_statement() {
  auto* made = program_.make<AutoescapeStmt>(advance().at);
  made->flag = expression();
  scopes_.open(made->start);
  made->body = statements({"endautoescape"}, "autoescape");
  scopes_.close();
  advance();
  return made;
}

void Parser::print_statement(Body& body) {
  const bool top = prints_at_top_;
  advance();
  bool first = true;
  while (now().type != Tok::block_end) {
    if (!first) expect(Tok::comma, "',' or '%}'");
    first = false;
    const std::uint32_t at = now().at;
    auto* output = program_.make<OutputStmt>(at, expression());
    output->top = top;
    body.push_back(output);
  }
}

}  // namespace mapflow::jinja::detail
