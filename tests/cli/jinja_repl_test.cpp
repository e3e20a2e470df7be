#include <doctest/doctest.h>

#include <algorithm>

#include "cli/jinja_repl.h"

using namespace mapflow;
using namespace mapflow::cli;

namespace {
JinjaRepl repl() {
  return JinjaRepl(jinja::Environment({.undefined = jinja::Undefined::strict, .lookup = jinja::Lookup::data_first}),
                   object({{"order", object({{"lines", array({1, 2, 3})}, {"id", "A-17"}})}, {"name", "ann"}}));
}
}  // namespace

TEST_CASE("an expression gives its value, a template its text") {
  JinjaRepl it = repl();
  CHECK(it.answer("order.lines | length").value() == "3");
  CHECK(it.answer("'a' + name").value() == "\"aann\"");
  CHECK(it.answer("Dear {{ name | title }},").value() == "Dear Ann,");
  CHECK(it.answer("   ").value().empty());
}

TEST_CASE("a name can be set and used") {
  JinjaRepl it = repl();
  REQUIRE(it.answer(":set total = order.lines | sum"));
  CHECK(it.answer("total * 2").value() == "12");
  CHECK_FALSE(it.answer(":set broken"));
  CHECK_FALSE(it.answer(":nonsense"));
}

TEST_CASE("an error says what is wrong and leaves the session usable") {
  JinjaRepl it = repl();
  CHECK(it.answer("nmae").error().is(code::template_error));
  CHECK(it.answer("name").value() == "\"ann\"");
}

TEST_CASE("completion knows names, members, filters, tests and commands") {
  const JinjaRepl it = repl();
  CHECK(it.completions("nam") == std::vector<std::string>{"name", "namespace"});
  CHECK(it.completions("1 + order.") == std::vector<std::string>{"order.id", "order.lines"});
  const auto filters = it.completions("name | upp");
  CHECK(filters == std::vector<std::string>{"upper"});
  const auto tests = it.completions("name is defin");
  CHECK(tests == std::vector<std::string>{"defined"});
  CHECK(it.completions(":fi") == std::vector<std::string>{":filters"});
  CHECK(it.completions("zzz").empty());
}
