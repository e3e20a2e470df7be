// Expressions.
#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>

#include "jinja/bigint.h"
#include "jinja/parser.h"

namespace mapflow::jinja::detail {

const Expr* Parser::expression(bool with_condition) {
  const Nested nested(*this);
  return with_condition ? conditional() : logical_or();
}

const Expr* Parser::conditional() {
  const std::size_t first_use = program_.uses.size();
  const std::size_t first_unknown = unknown_.size();
  const Expr* value = logical_or();
  while (now().is_name("if")) {
    const std::uint32_t at = advance().at;
    const std::size_t test_use = program_.uses.size();
    const Expr* test = logical_or();
    std::vector<Known> known;
    asserted(test, true, known);
    if (!known.empty()) {
      std::vector<NameUse> after(program_.uses.begin() + static_cast<std::ptrdiff_t>(test_use), program_.uses.end());
      guard(known, first_use);
      std::copy(after.begin(), after.end(), program_.uses.begin() + static_cast<std::ptrdiff_t>(test_use));
    }
    const Expr* otherwise = nullptr;
    if (skip_if_name("else")) {
      const std::size_t else_use = program_.uses.size();
      const Nested nested(*this);
      otherwise = conditional();
      known.clear();
      asserted(test, false, known);
      guard(known, else_use);
    }
    auto* made = program_.make<ConditionalExpr>(at, test, value, otherwise);
    value = finish(made, {test, value, otherwise}, otherwise != nullptr);
    soften(first_unknown);
  }
  return value;
}

const Expr* Parser::logical_or() { return logic("or", &Parser::logical_and); }
const Expr* Parser::logical_and() { return logic("and", &Parser::logical_not); }

const Expr* Parser::logic(std::string_view word, const Expr* (Parser::*operand)()) {
  const bool either = word == "or";
  const Expr* first = (this->*operand)();
  if (!now().is_name(word)) return first;
  const std::uint32_t at = now().at;
  std::vector<const Expr*> operands{first};
  std::vector<Known> known;
  while (skip_if_name(word)) {
    asserted(operands.back(), !either, known);
    const std::size_t first_use = program_.uses.size();
    operands.push_back((this->*operand)());
    guard(known, first_use);
  }
  auto* made = program_.make<LogicExpr>(at, either, operands);
  return finish(made, operands, true);
}

const Expr* Parser::logical_not() {
  if (!now().is_name("not")) return comparison();
  const Nested nested(*this);
  const std::uint32_t at = advance().at;
  const Expr* operand = logical_not();
  return finish(program_.make<NotExpr>(at, operand), {operand});
}

const Expr* Parser::comparison() {
  const Expr* left = sum();
  std::vector<CompareExpr::Step> steps;
  std::vector<const Expr*> children{left};
  const std::uint32_t at = now().at;
  while (true) {
    Comparison op = Comparison::eq;
    const Tok type = now().type;
    if (type >= Tok::eq && type <= Tok::ge) {
      static constexpr std::array ops = {Comparison::eq, Comparison::ne, Comparison::lt,
                                         Comparison::le, Comparison::gt, Comparison::ge};
      op = ops[static_cast<std::size_t>(type) - static_cast<std::size_t>(Tok::eq)];
      advance();
    } else if (skip_if_name("in")) {
      op = Comparison::in;
    } else if (now().is_name("not") && ahead().is_name("in")) {
      advance();
      advance();
      op = Comparison::not_in;
    } else {
      break;
    }
    steps.push_back({op, sum()});
    children.push_back(steps.back().right);
  }
  if (steps.empty()) return left;
  return finish(program_.make<CompareExpr>(at, left, std::move(steps)), children, true);
}

const Expr* Parser::sum() {
  const Expr* left = concatenation();
  while (now().type == Tok::add || now().type == Tok::sub) {
    const Token& token = advance();
    const Expr* right = concatenation();
    const auto op = token.type == Tok::add ? Arithmetic::add : Arithmetic::sub;
    left = finish(program_.make<ArithmeticExpr>(token.at, op, left, right), {left, right});
  }
  return left;
}

const Expr* Parser::concatenation() {
  const Expr* first = product();
  if (now().type != Tok::tilde) return first;
  const std::uint32_t at = now().at;
  std::vector<const Expr*> parts{first};
  while (skip_if(Tok::tilde)) parts.push_back(product());
  return finish(program_.make<ConcatExpr>(at, parts), parts, !environment_.options.autoescape);
}

const Expr* Parser::product() {
  const Expr* left = power();
  while (now().type == Tok::mul || now().type == Tok::div || now().type == Tok::floordiv || now().type == Tok::mod) {
    const Token& token = advance();
    const Expr* right = power();
    const auto op = token.type == Tok::mul   ? Arithmetic::mul
                    : token.type == Tok::div ? Arithmetic::div
                    : token.type == Tok::mod ? Arithmetic::mod
                                             : Arithmetic::floordiv;
    left = finish(program_.make<ArithmeticExpr>(token.at, op, left, right), {left, right});
  }
  return left;
}

const Expr* Parser::power() {
  const Expr* left = unary();
  while (now().type == Tok::pow) {
    const std::uint32_t at = advance().at;
    const Expr* right = unary();
    left = finish(program_.make<ArithmeticExpr>(at, Arithmetic::pow, left, right), {left, right});
  }
  return left;
}

const Expr* Parser::unary(bool with_filter) {
  const Nested nested(*this);
  const Expr* made = nullptr;
  if (now().type == Tok::sub || now().type == Tok::add) {
    const Token& token = advance();
    const Expr* operand = unary(false);
    made = finish(program_.make<SignExpr>(token.at, token.type == Tok::sub, operand), {operand});
  } else {
    made = primary();
  }
  made = postfix(made);
  return with_filter ? filters_and_tests(made) : made;
}

const Expr* Parser::primary() {
  const Token& token = now();
  switch (token.type) {
    case Tok::name: {
      advance();
      if (token.text == "true" || token.text == "True") return constant(token.at, Cell::of(true));
      if (token.text == "false" || token.text == "False") return constant(token.at, Cell::of(false));
      if (token.text == "none" || token.text == "None") return constant(token.at, Cell::none());
      return name(token);
    }
    case Tok::string: return text_literal();
    case Tok::integer:
    case Tok::number: return number_literal();
    case Tok::lparen: {
      advance();
      const Expr* inside = tuple(true, {}, true);
      expect(Tok::rparen, "')'");
      return inside;
    }
    case Tok::lbracket: return list_literal();
    case Tok::lbrace: return dict_literal();
    case Tok::end: fail(unexpected_end("an expression"));
    default: fail("unexpected " + describe(token));
  }
}

const Expr* Parser::text_literal() {
  const Token& first = advance();
  if (now().type != Tok::string) return constant(first.at, Cell::borrowed(first.text));
  std::string joined(first.text);
  while (now().type == Tok::string) joined += advance().text;
  return constant(first.at, Cell::borrowed(program_.keep(std::move(joined))));
}

const Expr* Parser::number_literal() {
  const Token& token = advance();
  std::string digits(token.text);
  std::erase(digits, '_');
  if (token.type == Tok::number) return constant(token.at, Cell::of(std::strtod(digits.c_str(), nullptr)));
  int base = 10;
  std::string_view plain = digits;
  if (digits.size() > 2 && digits[0] == '0') {
    const char letter = static_cast<char>(digits[1] | 0x20);
    base = letter == 'x' ? 16 : letter == 'o' ? 8 : letter == 'b' ? 2 : 10;
    if (base != 10) plain.remove_prefix(2);
  }
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(plain.data(), plain.data() + plain.size(), number, base);
  if (error == std::errc()) return constant(token.at, Cell::of(number));
  if (plain.size() > environment_.options.limits.integer_bits / 3)
    throw Failure{FailureClass::limit, "the integer is larger than its limit allows", {}, &program_, token.at};
  Big big = 0;
  for (const char c : plain) big = big * base + (c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
  return constant(token.at, Cell::made(Kind::bigint, keep_big(program_, std::move(big))));
}

const Expr* Parser::list_literal() {
  const std::uint32_t at = advance().at;
  std::vector<const Expr*> items;
  while (now().type != Tok::rbracket) {
    if (!items.empty()) expect(Tok::comma, "',' or ']'");
    if (now().type == Tok::rbracket) break;
    items.push_back(expression());
  }
  expect(Tok::rbracket, "']'");
  return finish(program_.make<SequenceExpr>(at, false, items), items, false);
}

const Expr* Parser::dict_literal() {
  const std::uint32_t at = advance().at;
  std::vector<std::pair<const Expr*, const Expr*>> entries;
  std::vector<const Expr*> children;
  while (now().type != Tok::rbrace) {
    if (!entries.empty()) expect(Tok::comma, "',' or '}'");
    if (now().type == Tok::rbrace) break;
    const Expr* key = expression();
    expect(Tok::colon, "':'");
    const Expr* value = expression();
    entries.emplace_back(key, value);
    children.push_back(key);
    children.push_back(value);
  }
  expect(Tok::rbrace, "'}'");
  return finish(program_.make<DictExpr>(at, std::move(entries)), children, false);
}

bool Parser::at_tuple_end(std::string_view end_name) const {
  const Tok type = now().type;
  return type == Tok::variable_end || type == Tok::block_end || type == Tok::rparen ||
         (!end_name.empty() && now().is_name(end_name));
}

const Expr* Parser::tuple(bool with_condition, std::string_view end_name, bool parentheses) {
  const std::uint32_t at = now().at;
  std::vector<const Expr*> items;
  bool is_tuple = false;
  while (true) {
    if (!items.empty()) expect(Tok::comma, "','");
    if (at_tuple_end(end_name)) break;
    items.push_back(expression(with_condition));
    if (now().type != Tok::comma) break;
    is_tuple = true;
  }
  if (!is_tuple) {
    if (!items.empty()) return items[0];
    if (!parentheses) fail("expected an expression, got " + describe(now()));
  }
  return finish(program_.make<SequenceExpr>(at, true, items), items, false);
}

const Expr* Parser::postfix(const Expr* base) {
  while (true) {
    if (now().type == Tok::dot || now().type == Tok::lbracket)
      base = subscript(base);
    else if (now().type == Tok::lparen)
      base = call(base);
    else
      return base;
  }
}

const Expr* Parser::filters_and_tests(const Expr* base) {
  while (true) {
    if (now().type == Tok::pipe) {
      advance();
      base = filter(base);
      if (const auto* made = dynamic_cast<const FilterExpr*>(base)) {
        const bool pure = made->native && !environment_.options.autoescape &&
                          environment_.options.opaque_marker.empty() && made->name != "random" && !made->args.star &&
                          !made->args.star_star;
        base = finish(const_cast<FilterExpr*>(made), children_of(made->base, made->args), pure);
      }
    } else if (now().is_name("is")) {
      base = test(base);
    } else if (now().type == Tok::lparen) {
      base = call(base);
    } else {
      return base;
    }
  }
}

const Expr* Parser::subscript(const Expr* base) {
  const Token& token = advance();
  if (token.type == Tok::dot) {
    const Token& attr = now();
    advance();
    if (attr.type == Tok::integer) {
      std::int64_t index = 0;
      std::from_chars(attr.text.data(), attr.text.data() + attr.text.size(), index);
      const Expr* key = constant(attr.at, Cell::of(index));
      return finish(program_.make<GetItemExpr>(attr.at, base, key), {base, key});
    }
    if (attr.type != Tok::name) fail("expected a name or number after '.', got " + describe(attr), attr);
    auto* made = program_.make<GetAttrExpr>(attr.at, base, attr_name(attr.text));
    made->use = base->use;
    if (base->use >= 0) program_.uses[static_cast<std::size_t>(base->use)].path.push_back(attr.text);
    return finish(made, {base}, false);
  }
  struct Part {
    const Expr* expr = nullptr;
    bool slice = false;
    std::array<const Expr*, 3> bounds{};
  };
  std::vector<Part> parts;
  while (now().type != Tok::rbracket) {
    if (!parts.empty()) expect(Tok::comma, "',' or ']'");
    Part part;
    if (now().type != Tok::colon) part.expr = part.bounds[0] = expression();
    for (std::size_t bound = 1; bound < 3 && skip_if(Tok::colon); ++bound) {
      part.slice = true;
      if (now().type != Tok::colon && now().type != Tok::rbracket && now().type != Tok::comma)
        part.bounds[bound] = expression();
    }
    parts.push_back(part);
  }
  expect(Tok::rbracket, "']'");
  if (parts.size() == 1 && parts[0].slice) {
    const auto& [start, stop, step] = parts[0].bounds;
    return finish(program_.make<SliceExpr>(token.at, base, start, stop, step), {base, start, stop, step});
  }
  const Expr* key = nullptr;
  if (parts.size() == 1) {
    key = parts[0].expr;
  } else {
    std::vector<const Expr*> items;
    for (const Part& part : parts) {
      if (part.slice) fail("a slice cannot stand among several subscripts", token);
      items.push_back(part.expr);
    }
    key = finish(program_.make<SequenceExpr>(token.at, true, items), items, false);
  }
  auto* made = program_.make<GetItemExpr>(token.at, base, key);
  const Cell* fixed = key->constant();
  if (base->use >= 0 && fixed && fixed->is_text()) {
    made->use = base->use;
    program_.uses[static_cast<std::size_t>(base->use)].path.push_back(fixed->text());
  }
  return finish(made, {base, key});
}

CallArgs Parser::call_args() {
  const Token& open = expect(Tok::lparen, "'('");
  CallArgs args;
  bool need_comma = false;
  const auto ensure_order = [&](bool in_order) {
    if (!in_order) fail("invalid syntax for function call expression", open);
  };
  while (now().type != Tok::rparen) {
    if (need_comma) {
      expect(Tok::comma, "',' or ')'");
      if (now().type == Tok::rparen) break;
    }
    if (skip_if(Tok::mul)) {
      ensure_order(!args.star && !args.star_star);
      args.star = expression();
    } else if (skip_if(Tok::pow)) {
      ensure_order(!args.star_star);
      args.star_star = expression();
    } else if (now().type == Tok::name && ahead().type == Tok::assign) {
      ensure_order(!args.star_star);
      const Token& key = advance();
      advance();
      for (const auto& [given, value] : args.named)
        if (given == key.text) fail("keyword argument repeated: " + std::string(key.text), key);
      args.named.emplace_back(key.text, expression());
    } else {
      ensure_order(!args.star && !args.star_star && args.named.empty());
      args.positional.push_back(expression());
    }
    need_comma = true;
  }
  expect(Tok::rparen, "')'");
  return args;
}

const Expr* Parser::call(const Expr* callee) {
  const std::uint32_t at = callee->at;
  // A call of a method says nothing about a member of that name.
  const auto* attr = dynamic_cast<const GetAttrExpr*>(callee);
  if (attr) {
    const_cast<GetAttrExpr*>(attr)->called = true;
    const bool method =
        std::any_of(attr->attr.methods.begin(), attr->attr.methods.end(), [](const auto* each) { return each; });
    if (attr->use >= 0 && method) program_.uses[static_cast<std::size_t>(attr->use)].path.pop_back();
  }
  CallArgs args = call_args();
  const auto children = children_of(callee, args);
  program_.calls_out = true;
  auto* made = program_.make<CallExpr>(at, callee, std::move(args));
  made->attribute = attr;
  return finish(made, children, false);
}

const FilterExpr* Parser::filter(const Expr* base) {
  const Token& token = expect(Tok::name, "the name of a filter");
  std::string_view name = token.text;
  if (now().type == Tok::dot) {
    std::string dotted(name);
    while (skip_if(Tok::dot)) dotted += "." + std::string(expect(Tok::name, "a name").text);
    name = program_.keep(std::move(dotted));
  }
  CallArgs args;
  if (now().type == Tok::lparen) args = call_args();
  auto* made = program_.make<FilterExpr>(token.at, name, base, std::move(args));
  const Callee callee = environment_.filter(name);
  made->native = callee.native;
  made->host = callee.host;
  if (callee.host) program_.calls_out = true;
  if (!callee) unknown_.push_back({made, nullptr, false});
  if (base && base->use >= 0 && (name == "default" || name == "d"))
    program_.uses[static_cast<std::size_t>(base->use)].guarded = true;
  return made;
}

const Expr* Parser::test(const Expr* base) {
  const std::uint32_t at = advance().at;
  const bool negated = skip_if_name("not");
  const Token& token = expect(Tok::name, "the name of a test");
  std::string_view name = token.text;
  if (now().type == Tok::dot) {
    std::string dotted(name);
    while (skip_if(Tok::dot)) dotted += "." + std::string(expect(Tok::name, "a name").text);
    name = program_.keep(std::move(dotted));
  }
  CallArgs args;
  const Tok type = now().type;
  if (type == Tok::lparen) {
    args = call_args();
  } else if ((type == Tok::name || type == Tok::string || type == Tok::integer || type == Tok::number ||
              type == Tok::lbracket || type == Tok::lbrace) &&
             !now().is_name("else") && !now().is_name("or") && !now().is_name("and")) {
    if (now().is_name("is")) fail("tests cannot be chained with 'is'");
    args.positional.push_back(postfix(primary()));
  }
  auto* made = program_.make<TestExpr>(token.at, name, base, std::move(args));
  const Callee callee = environment_.test(name);
  made->native = callee.native;
  made->host = callee.host;
  if (callee.host) program_.calls_out = true;
  if (!callee) unknown_.push_back({nullptr, made, false});
  const bool bare =
      made->args.positional.empty() && made->args.named.empty() && !made->args.star && !made->args.star_star;
  made->asks_defined = bare && callee.native && name == "defined";
  made->asks_undefined = bare && callee.native && name == "undefined";
  if (base->use >= 0 && (made->asks_defined || made->asks_undefined))
    program_.uses[static_cast<std::size_t>(base->use)].guarded = true;
  const bool pure = callee.native && environment_.options.opaque_marker.empty() && name != "filter" && name != "test";
  const Expr* result = finish(made, children_of(base, made->args), pure);
  if (negated) result = finish(program_.make<NotExpr>(at, result), {result});
  return result;
}

}  // namespace mapflow::jinja::detail
