// What a host does with templates: values, truth, references, constants, host functions.
#include <doctest/doctest.h>

#include <memory>
#include <thread>

#include "jinja/jinja.h"
#include "value/json.h"

using namespace mapflow;

namespace {

const jinja::Environment& engine() {
  static const jinja::Environment environment(
      {.undefined = jinja::Undefined::strict, .lookup = jinja::Lookup::data_first});
  return environment;
}

Value json(std::string_view text) { return parse_json(text).value(); }

Value evaluated(std::string_view expression, const Value& data = object({})) {
  auto compiled = engine().compile_expression(expression);
  REQUIRE_MESSAGE(compiled.has_value(), compiled.error().message);
  auto value = compiled->evaluate(jinja::ValueScope(data));
  REQUIRE_MESSAGE(value.has_value(), value.error().message);
  return *value;
}

jinja::Template compiled(std::string_view source) {
  auto made = engine().compile(source);
  REQUIRE_MESSAGE(made.has_value(), made.error().message);
  return *made;
}

std::string listed(const jinja::Template& made) {
  std::string out;
  for (const auto& reference : made.references()) {
    out += (out.empty() ? "" : " ") + reference.name;
    for (const auto& step : reference.path) out += "." + step;
    if (reference.guarded) out += "?";
  }
  return out;
}

}  // namespace

TEST_CASE("an expression keeps the type of its value") {
  CHECK(evaluated("1 + 1").identical(Value(2)));
  CHECK(evaluated("4 / 2").identical(Value(2.0)));
  CHECK(evaluated("'2'").identical(Value("2")));
  CHECK(evaluated("none").is_null());
  CHECK(evaluated("[1, 'a', true, 2.5]").identical(json(R"([1, "a", true, 2.5])")));
  CHECK(evaluated("{'a': (1, 2), 3: none}").identical(json(R"({"a": [1, 2], "3": null})")));
  CHECK(evaluated("range(3)").identical(json("[0, 1, 2]")));
  CHECK(evaluated("x|map('upper')", json(R"({"x": ["a", "b"]})")).identical(json(R"(["A", "B"])")));
}

TEST_CASE("a value that is passed through is shared, not copied") {
  const Value data = json(R"({"list": [1, 2, 3], "object": {"a": {"b": 1}}})");
  CHECK(&evaluated("list", data).as_array() == &data.find("list")->as_array());
  CHECK(&evaluated("object.a", data).as_object() == &data.find("object")->find("a")->as_object());
}

TEST_CASE("a template that is one print statement gives its value, any other gives text") {
  const jinja::ValueScope scope(json(R"({"n": [1, 2]})"));
  CHECK(compiled("{{ n }}").evaluate(scope)->identical(json("[1, 2]")));
  CHECK(compiled("{{ n }}!").evaluate(scope)->identical(Value("[1, 2]!")));
  CHECK(compiled(" {{ n }}").evaluate(scope)->identical(Value(" [1, 2]")));
  CHECK(compiled("plain").evaluate(scope)->identical(Value("plain")));
  CHECK(compiled("{{ n }}").render(scope).value() == "[1, 2]");
}

TEST_CASE("undefined results: null, an error, or nothing, as asked") {
  const jinja::ValueScope scope(json(R"({"a": {}})"));
  const auto strict = engine().compile_expression("a.b").value();
  CHECK_FALSE(strict.evaluate(scope).has_value());
  CHECK(strict.evaluate(scope).error().is(code::template_error));
  CHECK(strict.evaluate_maybe(scope).value() == std::nullopt);
  CHECK_FALSE(strict.test(scope).has_value());
  const auto lenient = jinja::Environment().compile_expression("a.b").value();
  CHECK(lenient.evaluate(scope).value().is_null());
  CHECK(lenient.evaluate_maybe(scope).value() == std::nullopt);
  CHECK(lenient.test(scope).value() == false);
}

TEST_CASE("an expression that ends too early is called an expression") {
  CHECK(engine().compile_expression("1 +").error().message == "unexpected end of the expression, expected an expression");
  CHECK(engine().compile_expression("(1").error().message == "unexpected end of the expression, expected ')'");
}

TEST_CASE("truth is Python's") {
  const jinja::ValueScope scope(json(R"({"empty": [], "zero": 0, "text": "x", "object": {}})"));
  const auto truth = [&](std::string_view expression) {
    return engine().compile_expression(expression)->test(scope).value();
  };
  CHECK_FALSE(truth("empty"));
  CHECK_FALSE(truth("zero"));
  CHECK_FALSE(truth("object"));
  CHECK_FALSE(truth("''"));
  CHECK_FALSE(truth("0.0"));
  CHECK(truth("text"));
  CHECK(truth("[0]"));
  CHECK(truth("'False'"));
}

TEST_CASE("the key comes before the method in the engine, the method before the key in Jinja2") {
  const Value data = json(R"({"order": {"items": [1, 2], "a": 1}})");
  CHECK(evaluated("order.items", data).identical(json("[1, 2]")));
  CHECK(evaluated("order.items()|list", data).identical(json(R"([["items", [1, 2]], ["a", 1]])")));
  CHECK(evaluated("order.keys()|list", data).identical(json(R"(["items", "a"])")));
  const auto compatible = jinja::Environment().compile("{{ order.items is callable }} {{ order['items'] }}").value();
  CHECK(compatible.render(jinja::ValueScope(data)).value() == "True [1, 2]");
}

TEST_CASE("references name what a template reads and does not set itself") {
  CHECK(listed(compiled("{{ user.name }} {{ results['check'].ok }} {% set a = b.c %}{{ a }}")) ==
        "user.name results.check.ok b.c");
  CHECK(listed(compiled("{% for row in rows %}{{ row.x }}{{ loop.index }}{{ total }}{% endfor %}")) == "rows total");
  CHECK(listed(compiled("{% macro m(a) %}{{ a }}{{ outside }}{% endmacro %}{{ m(1) }}")) == "outside");
  CHECK(listed(compiled("{{ order.items() }} {{ names.split(',') }} {{ list[0].x }}")) == "order names list");
  CHECK(listed(compiled("{{ x|default('a') }} {{ y is defined }} {{ z.q|d(1) }}")) == "x? y? z.q?");
  CHECK(listed(compiled("{% if a is defined %}{{ a }}{% else %}{{ a }}{% endif %}")) == "a? a? a");
  CHECK(listed(compiled("{{ a.b if a.b is defined else a.b }}")) == "a.b? a.b? a.b");
  CHECK(listed(compiled("{{ a is defined and a > 1 and b > a }} {{ c is not defined or c }}")) == "a? a? b a? c? c?");
  CHECK(listed(compiled("{% if u is undefined %}x{% else %}{{ u }}{% endif %}")) == "u? u?");
}

TEST_CASE("a name that is only maybe set is a reference; one that is surely set is none") {
  CHECK(listed(compiled("{% if a %}{% set x = 1 %}{% endif %}{{ x }}")) == "a x");
  CHECK(listed(compiled("{% if a %}{% set x = 1 %}{% else %}{% set x = 2 %}{% endif %}{{ x }}")) == "a");
  CHECK(listed(compiled("{% if a %}{% set x = 1 %}{% elif b %}{% set x = 2 %}{% endif %}{{ x }}")) == "a b x");
  CHECK(listed(compiled("{% if a %}{% set x = 1 %}{{ x }}{% endif %}")) == "a");
  CHECK(listed(compiled("{{ x }}{% set x = 1 %}{{ x }}")) == "x");
  CHECK(listed(compiled("{% set x = x %}{{ x }}{% set y %}{{ y }}{% endset %}{{ y }}")) == "x");
  CHECK(listed(compiled("{% for i in l %}{% if i %}{% set x = 1 %}{% endif %}{{ x }}{% endfor %}")) == "l x");
  CHECK(listed(compiled("{% set x = 0 %}{% for i in [1] %}{% if i %}{% set x = 1 %}{% endif %}{{ x }}{% endfor %}")) == "");
  CHECK(listed(compiled("{% macro m() %}{{ x }}{% endmacro %}{% if a %}{% set x = 1 %}{% endif %}{{ m() }}")) == "x a");
  CHECK(compiled("{% if false %}{% set x = 2 %}{% endif %}{{ x }}").constant() == nullptr);
  CHECK(listed(compiled("{% block b %}{{ self }}{{ super() }}{% endblock %}{{ super }}")) == "super");
}

TEST_CASE("references say where") {
  const auto made = engine().compile("{{ one }}\n  {{ two }}", {"flow.yaml", 7, 12}).value();
  const auto references = made.references();
  REQUIRE(references.size() == 2);
  CHECK(references[0].where == Location{"flow.yaml", 7, 15});
  CHECK(references[1].where == Location{"flow.yaml", 8, 6});
}

TEST_CASE("touches tells whether a path can matter") {
  const auto made = compiled("{{ results.check.available }} {{ results[which] if which }}{{ other.x }}");
  const std::vector<std::string> check{"check"}, deep{"check", "available", "now"}, elsewhere{"check", "price"},
      ship{"ship"};
  CHECK(made.touches("results"));
  CHECK(made.touches("results", check));
  CHECK(made.touches("results", deep));
  CHECK(made.touches("results", ship));  // results[which] may be any of them
  CHECK_FALSE(made.touches("nothing"));
  CHECK_FALSE(compiled("{{ results.check.available }}").touches("results", elsewhere));
  CHECK_FALSE(compiled("{{ results.check.available }}").touches("results", ship));
}

TEST_CASE("a template that lets others see the scope may touch everything") {
  CHECK(compiled("{% include 'a' %}").touches("results"));
  CHECK(compiled("{% extends 'a' %}").touches("results"));
  CHECK(compiled("{% import 'a' as a with context %}").touches("results"));
  CHECK_FALSE(compiled("{% include 'a' without context %}").touches("results"));
  CHECK_FALSE(compiled("{% import 'a' as a %}{{ a.b() }}").touches("results"));
}

TEST_CASE("what is the same for every scope is known before one is there") {
  CHECK(compiled("{{ 1 + 2 }}").constant()->identical(Value(3)));
  CHECK(compiled("plain text").constant()->identical(Value("plain text")));
  CHECK(engine().compile_expression("['a', 'b']|join('-')")->constant()->identical(Value("a-b")));
  CHECK(compiled("{{ x }}").constant() == nullptr);
  CHECK(compiled("{{ 1 / 0 }}").constant() == nullptr);
}

TEST_CASE("hosts add filters, tests, globals and functions") {
  jinja::Environment environment({.undefined = jinja::Undefined::strict});
  environment.add_filter("shout", [](const jinja::Arguments& arguments) -> Result<Value> {
    std::string text(arguments.positional[0].as_text());
    for (const auto& [name, value] : arguments.named)
      if (name.view() == "times") text.append(static_cast<std::size_t>(value.as_integer()), '!');
    return Value(text);
  });
  environment.add_test("even_length", [](const jinja::Arguments& arguments) -> Result<Value> {
    return Value(arguments.positional[0].size() % 2 == 0);
  });
  environment.add_function("now",
                           [](const jinja::Arguments&) -> Result<Value> { return Value("2026-01-01T00:00:00Z"); });
  environment.add_function(
      "broken", [](const jinja::Arguments&) -> Result<Value> { return fail(code::unavailable, "not today"); });
  environment.add_global("version", Value(7));
  const auto render = [&](std::string_view source) {
    return environment.compile(source)->render(jinja::ValueScope(json(R"({"x": "hey"})")));
  };
  CHECK(render("{{ x|shout(times=2) }} {{ x is even_length }} {{ now() }} {{ version }}").value() ==
        "hey!! False 2026-01-01T00:00:00Z 7");
  CHECK(render("{{ ['a', 'b']|map('shout', times=1)|join }}").value() == "a!b!");
  CHECK(render("{{ ['ab', 'b']|select('even_length')|list }}").value() == "['ab']");
  CHECK(render("{{ broken() }}").error().message == "broken: not today");
}

TEST_CASE("a template changes its own copy of a list, never the host's data") {
  const Value data = json(R"({"list": [1], "object": {"a": 1}})");
  jinja::Environment environment({.extension_do = true});
  const auto made =
      environment.compile("{% do list.append(2) %}{% do object.update({'b': list}) %}{{ list }} {{ object }}").value();
  CHECK(made.render(jinja::ValueScope(data)).value() == "[1, 2] {'a': 1, 'b': [1, 2]}");
  CHECK(made.render(jinja::ValueScope(data)).value() == "[1, 2] {'a': 1, 'b': [1, 2]}");
  CHECK(data.identical(json(R"({"list": [1], "object": {"a": 1}})")));
}

TEST_CASE("one template renders in many threads at once") {
  const auto made = compiled("{% for i in range(50) %}{{ x }}{{ i }}{% endfor %}");
  std::vector<std::string> outputs(4);
  std::vector<std::jthread> threads;
  for (std::size_t t = 0; t < outputs.size(); ++t)
    threads.emplace_back([&, t] {
      for (int round = 0; round < 20; ++round)
        outputs[t] = made.render(jinja::ValueScope(object({{"x", "v"}}))).value();
    });
  threads.clear();
  for (const std::string& output : outputs) CHECK(output == outputs[0]);
}

TEST_CASE("opaque texts can be printed, joined and stored, and nothing else") {
  jinja::Options options{.undefined = jinja::Undefined::strict, .lookup = jinja::Lookup::data_first};
  options.opaque_marker = "\x01secret:";
  jinja::Environment environment(options);
  const Value data = object({{"token", "\x01secret:token\x02"}, {"plain", "p"}});
  const auto value = [&](std::string_view expression) {
    return environment.compile_expression(expression)->evaluate(jinja::ValueScope(data));
  };
  CHECK(value("'Bearer ' ~ token").value() == Value("Bearer \x01secret:token\x02"));
  CHECK(value("{'auth': [token]}").has_value());
  CHECK(value("token is defined").value() == Value(true));
  CHECK(value("plain|upper ~ token").has_value());
  for (const char* refused :
       {"token|upper", "token|length", "token == 'x'", "token[0]", "token[1:]", "token.upper()", "'t' in token",
        "token + 'x'", "token is string", "not token", "token|tojson", "[token]|map('upper')|list", "token * 2",
        "'%s' % token", "token < 'a'", "token and 1", "'{}'.format(token)", "token|list"}) {
    const auto result = value(refused);
    CHECK_MESSAGE(!result.has_value(), refused << " must be refused");
    if (!result)
      CHECK_MESSAGE(result.error().message.find("opaque") != std::string::npos,
                    refused << ": " << result.error().message);
  }
}
