// Templates that ask for too much end in resource_exhausted, soon and without the memory they asked for.
#include <doctest/doctest.h>

#include <ctime>
#include <memory>
#include <string>

#include "jinja/heap.h"
#include "jinja/jinja.h"
#include "value/json.h"

using namespace mapflow;

namespace {

class SelfLoader final : public jinja::Loader {
 public:
  explicit SelfLoader(std::string text) : text_(std::move(text)) {}
  Result<std::string> load(std::string_view) const override { return text_; }

 private:
  std::string text_;
};

jinja::Limits small_limits() {
  jinja::Limits limits;
  limits.instructions = 2'000'000;
  limits.output_bytes = 1u << 20;
  limits.memory_bytes = 16u << 20;
  limits.range_items = 100'000;
  return limits;
}

Result<std::string> rendered(const std::string& source, jinja::Limits limits = small_limits(),
                             const Value& data = object({})) {
  jinja::Options options;
  options.limits = limits;
  options.extension_do = true;
  jinja::Environment environment(options);
  jinja::add_workflow_filters(environment);
  environment.set_loader(std::make_shared<SelfLoader>("{% include 'again' %}"));
  const auto made = environment.compile(source);
  if (!made) return fail(made.error());
  return made->render(jinja::ValueScope(data));
}

// Values, output, and one copy of either while a buffer grows; and what the parser makes of the source.
std::size_t most_memory(const std::string& source, const jinja::Limits& limits) {
  return 3 * (limits.memory_bytes + limits.output_bytes) + 200 * source.size() + (1u << 20);
}

void check_limited(const std::string& source, jinja::Limits limits = small_limits()) {
  const std::clock_t begin = std::clock();  // processor time: a busy machine must not fail this
  const test::HeapWatch heap;
  const auto result = rendered(source, limits);
  const std::size_t held = heap.peak();
  const auto took = static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
  const std::string shown = source.substr(0, 120);
  CHECK_MESSAGE(!result.has_value(), shown << " must be limited");
  if (!result) {
    CHECK_MESSAGE(result.error().is(code::resource_exhausted), shown << ": " << result.error().to_string());
    CHECK_MESSAGE(result.error().details.find("\"class\":\"limit\"") != std::string::npos, shown);
  }
  CHECK_MESSAGE(took < 10.0, shown);
  CHECK_MESSAGE(held <= most_memory(source, limits), shown << ": " << held << " bytes at once");
}

std::string repeated(std::string_view text, std::size_t times) {
  std::string out;
  for (std::size_t i = 0; i < times; ++i) out += text;
  return out;
}

}  // namespace

TEST_CASE("loops within loops run out of instructions") {
  check_limited(
      "{% for a in range(1000) %}{% for b in range(1000) %}{% for c in range(1000) %}{% endfor %}{% endfor %}{% endfor "
      "%}");
  check_limited(
      "{% for a in range(99999) if false %}{% endfor %}{% for a in range(99999) %}{% for b in range(99999) if b < 0 "
      "%}{% endfor %}{% endfor %}");
  check_limited("{{ range(99999)|map('string')|map('length')|list * 100 }}");
}

TEST_CASE("texts that double run out of memory") {
  check_limited(
      "{% set ns = namespace(s='xxxxxxxx') %}{% for i in range(100) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}");
  check_limited(
      "{% set ns = namespace(s='xxxxxxxx') %}{% for i in range(100) %}{% set ns.s = ns.s + ns.s %}{% endfor %}");
  check_limited(
      "{% set ns = namespace(s='aa') %}{% for i in range(100) %}{% set ns.s = ns.s|replace('a', 'aaaa') %}{% endfor "
      "%}");
  check_limited(
      "{% set ns = namespace(s='a') %}{% for i in range(100) %}{% set ns.s = '%s%s%s' % (ns.s, ns.s, ns.s) %}{% endfor "
      "%}");
  check_limited(
      "{% set ns = namespace(s='a') %}{% for i in range(100) %}{% set ns.s = '{0}{0}{0}'.format(ns.s) %}{% endfor %}");
  check_limited(
      "{% set ns = namespace(s='<') %}{% for i in range(100) %}{% set ns.s = ns.s|forceescape|forceescape ~ ns.s %}{% "
      "endfor %}");
  check_limited(
      "{% set ns = namespace(s=['a']) %}{% for i in range(100) %}{% set ns.s = [ns.s, ns.s] %}{% endfor %}{{ ns.s }}");
  check_limited("{% set ns = namespace(s=[1]) %}{% for i in range(100) %}{% set ns.s = ns.s + ns.s %}{% endfor %}");
  check_limited(
      "{% set ns = namespace(s=['a']) %}{% for i in range(100) %}{% set ns.s = [ns.s, ns.s]|flatten(0) %}{% endfor %}");
  check_limited(
      "{% set ns = namespace(s=['a']) %}{% for i in range(100) %}{% set ns.s = ns.s|zip(ns.s) %}{% set ns.s = [ns.s, "
      "ns.s] %}{% endfor %}{{ ns.s|tojson }}");
}

TEST_CASE("one operation that would make too much is refused before it is done") {
  for (const char* source : {"{{ 'x' * 10**10 }}",
                             "{{ [1] * 10**10 }}",
                             "{{ '%1000000000d' % 1 }}",
                             "{{ '%.1000000000f' % 1.5 }}",
                             "{{ '{:1000000000}'.format(1) }}",
                             "{{ '{:>1000000000}'.format('x') }}",
                             "{{ '{:.1000000000f}'.format(1.5) }}",
                             "{{ 'x'|center(10**10) }}",
                             "{{ 'x'.ljust(10**10) }}",
                             "{{ 'x'.zfill(10**10) }}",
                             "{{ 'x'|indent(10**10) }}",
                             "{{ ('x\n' * 10000)|indent(100000) }}",
                             "{{ ['x']|batch(10**10, 'y')|list }}",
                             "{{ ['x']|slice(10**10)|list }}",
                             "{{ 'a\tb'.expandtabs(10**10) }}",
                             "{{ ('x' * 100000).replace('x', 'y' * 100000) }}",
                             "{{ ('x' * 100000).replace('', 'y' * 1000) }}",
                             "{{ ('x' * 10000)|join('y' * 10000) }}",
                             "{{ [[1, [2]]]|tojson(indent=10**9) }}",
                             "{{ lipsum(n=10**9) }}",
                             "{{ '%*d' % (10**9, 1) }}",
                             "{{ ('x' * 100000)|regex_replace('x', 'yyyy' * 1000) }}"})
    check_limited(source);
}

TEST_CASE("lists and dicts that grow run out of memory") {
  check_limited("{% set x = [] %}{% for i in range(99999) %}{% do x.append(range(99999)|list) %}{% endfor %}");
  check_limited("{% set x = [] %}{% for i in range(99999) %}{% do x.extend(range(99999)) %}{% endfor %}");
  check_limited("{% set x = [1] %}{% for i in range(99999) %}{% do x.extend(x) %}{% endfor %}");
  check_limited("{% set x = [1] %}{% for i in range(99999) %}{% do x.append(x + x) %}{% set _ = x * 2 %}{% endfor %}");
  check_limited("{% set x = {} %}{% for i in range(99999) %}{% do x.update({i: range(9999)|list}) %}{% endfor %}");
  check_limited(
      "{% set ns = namespace(x={'a': 1}) %}{% for i in range(99999) %}{% set ns.x = dict(a=ns.x, b=ns.x|string) %}{% "
      "endfor %}");
  check_limited("{{ range(99999)|map('string')|batch(2)|map('join', 'x' * 9999)|list|length }}");
  check_limited("{{ dict(range(99999)|map('string')|batch(2))|tojson|length * 'x' * 99999999 }}");
  check_limited("{% set x = 'x' * 1000000 %}{{ ([x] * 100)|join }}");
}

TEST_CASE("long chains of filters run out of something") {
  check_limited("{{ ('a' * 1000000)" + repeated("|upper|lower", 100) + " }}");
  check_limited("{{ ('<' * 100000)" + repeated("|forceescape", 100) + " }}");
  check_limited("{{ ('a' * 1000)" + repeated("|replace('a', 'aa')", 30) + " }}");
  check_limited("{{ range(99999)" + repeated("|list|reverse", 100) + "|list }}");
  check_limited("{{ range(99999)" + repeated("|map('string')", 100) + "|list }}");
  check_limited("{{ ('a b ' * 10000)" + repeated("|wordwrap(1)|title", 100) + "|urlize }}");
}

TEST_CASE("integers are bounded") {
  check_limited("{{ 2 ** (10 ** 9) }}");
  check_limited("{{ 10**4000 * 10**4000 }}");
  check_limited("{% set ns = namespace(n=3) %}{% for i in range(1000) %}{% set ns.n = ns.n * ns.n %}{% endfor %}");
  check_limited("{{ ('9' * 100000)|int }}");
  check_limited("{{ " + std::string(100'000, '9') + " }}");
  CHECK(rendered("{{ 2 ** 1000 }}").value().size() == 302);
}

TEST_CASE("ranges are bounded") {
  check_limited("{{ range(10**9) }}");
  check_limited("{% for i in range(-9223372036854775808, 9223372036854775807) %}{% endfor %}");
  CHECK(rendered("{{ range(100000)|length }}").value() == "100000");
}

TEST_CASE("recursion is bounded, and with it the stack") {
  check_limited("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}");
  check_limited("{% macro a(n) %}{{ b(n + 1) }}{% endmacro %}{% macro b(n) %}{{ a(n + 1) }}{% endmacro %}{{ a(0) }}");
  check_limited("{% include 'x' %}");
  check_limited("{% macro m() %}{% call m() %}{{ caller() }}{% endcall %}{% endmacro %}{{ m() }}");
  check_limited("{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}");
  check_limited("{% block a %}{{ self.a() }}{% endblock %}");
  jinja::Limits deep = small_limits();
  deep.recursion = 1'000'000;
  deep.memory_bytes = 256u << 20;
  deep.nesting = 4000;
  check_limited(
      "{% macro m() %}{{ " + repeated("(1 + ", 300) + "m()" + repeated(")", 300) + " }}{% endmacro %}{{ m() }}", deep);
  check_limited(
      "{% set ns = namespace(x=[]) %}{% for i in range(100000) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x }}", deep);
  check_limited(
      "{% set ns = namespace(x=[]) %}{% for i in range(100000) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x == [ns.x] "
      "}}",
      deep);
  check_limited(
      "{% set ns = namespace(x=[]) %}{% for i in range(100000) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x|tojson }}",
      deep);
  check_limited(
      "{% set ns = namespace(x=[]) %}{% for i in range(100000) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x|flatten }}",
      deep);
}

TEST_CASE("sources are bounded in length and nesting") {
  check_limited("{{ " + std::string(100'000, '(') + "1" + std::string(100'000, ')') + " }}");
  check_limited("{{ " + std::string(100'000, '[') + std::string(100'000, ']') + " }}");
  check_limited("{{ " + repeated("not ", 100'000) + "1 }}");
  check_limited("{{ " + repeated("- ", 100'000) + "1 }}");
  check_limited("{{ x" + repeated("+x", 100'000) + " }}");
  check_limited("{{ x" + repeated(".x", 100'000) + " }}");
  check_limited("{{ x" + repeated("|e", 100'000) + " }}");
  check_limited("{{ x" + repeated(" if x else x", 100'000) + " }}");
  check_limited(repeated("{% if x %}", 10'000));
  check_limited(repeated("{% for x in y %}", 10'000));
  check_limited("{% set " + std::string(10'000, '(') + "a" + std::string(10'000, ')') + " = 1 %}");
  jinja::Limits limits = small_limits();
  limits.source_bytes = 1000;
  check_limited(std::string(1001, 'x'), limits);
  CHECK(rendered("{{ " + repeated("1 or ", 50'000) + "1 }}").value() == "1");
}

TEST_CASE("compiling many names, includes and conditions takes time in proportion") {
  std::string source;
  for (int i = 0; i < 20'000; ++i)
    source += "{% set n" + std::to_string(i) + " = 1 %}{% if false %}{% include 'x' %}{% endif %}";
  CHECK(rendered(source).has_value());
  source = "{{ a0 is defined";
  for (int i = 1; i < 50'000; ++i) source += " and a" + std::to_string(i) + " is defined";
  CHECK(rendered(source + " }}").value() == "False");
  source.clear();
  for (int i = 0; i < 20'000; ++i) source += "{{ 'abc' * 1000 }}";
  CHECK(rendered("{% if false %}" + source + "{% endif %}").value().empty());
}

TEST_CASE("searching takes time in proportion, whatever is searched for") {
  check_limited(
      "{% set t = 'a' * 1000000 %}{% set w = 'a' * 500000 ~ 'b' %}{% for i in range(1000) %}{{ w in t }}{% endfor %}");
  check_limited("{% set t = 'a' * 1000000 %}{% for i in range(10000) %}{% set x = t|length %}{% endfor %}");
  check_limited(
      "{% set t = 'a' * 1000000 %}{% for i in range(10000) %}{% set x = t is search('(a*)*b') %}{% endfor %}");
  CHECK(rendered("{{ ('a' * 20000) is match('(a+)+$') }} {{ ('a' * 20000 ~ 'b') is match('(a+)+$') }}").value() ==
        "True False");
  check_limited("{{ ('a' * 1000000).strip('b' * 1000000 ~ 'a') }}");
}

TEST_CASE("output is bounded") {
  jinja::Limits limits = small_limits();
  limits.output_bytes = 1000;
  check_limited("{% for i in range(1001) %}x{% endfor %}", limits);
  CHECK(rendered("{% for i in range(1000) %}x{% endfor %}", limits).value().size() == 1000);
  CHECK(rendered("{{ ('x' * 5000)|length }}", limits).value() == "5000");
}

TEST_CASE("a limit says where it was passed") {
  const auto result = rendered("line one\n{{ 'x' * 10**10 }}");
  REQUIRE_FALSE(result.has_value());
  CHECK(result.error().where.line == 2);
  CHECK(result.error().where.column == 8);
}
