// bench-jinja: how long templates take, compiled once and rendered many times.
//
//   bench-jinja CASES.json [SECONDS]
//
// Reads the cases from CASES.json (see cases.json beside this file) and prints one line of JSON for each: its name, the
// nanoseconds of processor time that one render took in the best of ten rounds, and what it rendered. SECONDS is the
// time spent on each case, 1 unless given. compare.py runs this beside Python's Jinja2.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>

#include "jinja/jinja.h"
#include "value/json.h"

namespace {

using namespace mapflow;

class MemberLoader final : public jinja::Loader {
 public:
  explicit MemberLoader(Value templates) : templates_(std::move(templates)) {}
  Result<std::string> load(std::string_view name) const override {
    if (const Value* text = templates_.find(name)) return std::string(text->as_text());
    return fail(code::not_found, "there is no such template");
  }

 private:
  Value templates_;
};

// {"repeat": 3, "of": x} stands for [x, x, x], and {"cycle": 3, "of": [x, y]} for [x, y, x].
Value expanded(const Value& given) {
  const Value* of = given.find("of");
  const Value* repeat = given.find("repeat");
  const Value* cycle = given.find("cycle");
  if (!of || (!repeat && !cycle)) {
    if (!given.is_object()) return given;
    Value made = object({});
    for (const auto& [name, member] : given.as_object()) made.set(name, expanded(member));
    return made;
  }
  Value made = array({});
  const std::int64_t count = (repeat ? repeat : cycle)->as_integer();
  for (std::int64_t i = 0; i < count; ++i)
    made.push_back(repeat ? *of : of->as_array()[static_cast<std::size_t>(i) % of->size()]);
  return made;
}

double seconds_used() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

// Nanoseconds of one call of `run`, in the best of ten rounds.
template <class Run>
double nanoseconds(double seconds, Run run) {
  constexpr int kRounds = 10;
  const double begin = seconds_used();
  std::size_t calls = 0;
  while (seconds_used() - begin < seconds / kRounds / 4)
    for (int i = 0; i < 16; ++i, ++calls) run();
  calls *= 4;
  double best = 1e9;
  for (int round = 0; round < kRounds; ++round) {
    const double start = seconds_used();
    for (std::size_t i = 0; i < calls; ++i) run();
    best = std::min(best, (seconds_used() - start) / static_cast<double>(calls));
  }
  return best * 1e9;
}

[[noreturn]] void stop(const std::string& why) {
  std::fprintf(stderr, "bench-jinja: %s\n", why.c_str());
  std::exit(1);
}

void run(const Value& test, bool expression, double seconds) {
  jinja::Environment environment;
  if (const Value* templates = test.find("templates")) environment.set_loader(std::make_shared<MemberLoader>(*templates));
  const std::string_view source = test.find("source")->as_text();
  const auto made = expression ? environment.compile_expression(source) : environment.compile(source);
  if (!made) stop(made.error().to_string());
  const jinja::ValueScope scope(expanded(*test.find("data")));
  Value line = object({{"name", *test.find("name")}});
  if (expression) {
    const auto truth = made->test(scope);
    if (!truth) stop(truth.error().to_string());
    line.set("output", *truth);
    line.set("ns", nanoseconds(seconds, [&] { return made->test(scope).value(); }));
  } else {
    const auto text = made->render(scope);
    if (!text) stop(text.error().to_string());
    line.set("output", *text);
    line.set("ns", nanoseconds(seconds, [&] { return made->render(scope)->size(); }));
  }
  std::printf("%s\n", to_json(line).c_str());
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 2) stop("usage: bench-jinja CASES.json [SECONDS]");
  std::ifstream in(arguments[1]);
  const auto cases = parse_json(std::string(std::istreambuf_iterator<char>(in), {}));
  if (!cases) stop(std::string(arguments[1]) + ": " + cases.error().to_string());
  const double seconds = count > 2 ? std::atof(arguments[2]) : 1.0;
  for (const Value& each : cases->find("templates")->as_array()) run(each, false, seconds);
  for (const Value& each : cases->find("expressions")->as_array()) run(each, true, seconds);
  return 0;
}
