#include "agents/log_lines.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace mapflow::agents;

namespace {

struct Collected {
  std::vector<std::string> lines;
  LogLines log{[this](std::string_view line) { lines.emplace_back(line); }};
};

}  // namespace

TEST_CASE("lines are put together from pieces, and a last one without an end is not lost") {
  Collected got;
  for (const char* piece : {"on", "e\ntwo\r", "\n\nth", "ree"}) got.log.feed(piece);
  CHECK(got.lines == std::vector<std::string>{"one", "two", ""});
  got.log.finish();
  CHECK(got.lines.back() == "three");
}

TEST_CASE("a line that never ends is passed on in pieces, however the bytes arrive") {
  const std::string endless(3 * LogLines::kMaxLine + 5, 'x');
  Collected whole, single;
  whole.log.feed(endless);
  for (const char c : endless) single.log.feed({&c, 1});
  CHECK(whole.lines == single.lines);
  CHECK(whole.lines == std::vector<std::string>(3, std::string(LogLines::kMaxLine, 'x')));
  whole.log.finish();
  CHECK(whole.lines.back() == "xxxxx");
}

TEST_CASE("the tail is the last 4 KiB, whatever the size of the pieces") {
  std::string all;
  for (int i = 0; i < 20'000; ++i) all += std::to_string(i) + "\n";
  for (const std::size_t piece : {1u, 100u, 4096u, 70'000u}) {
    LogLines log({});
    for (std::size_t at = 0; at < all.size(); at += piece) log.feed(std::string_view(all).substr(at, piece));
    CHECK(log.tail() == all.substr(all.size() - LogLines::kTail));
  }
  LogLines brief({});
  brief.feed("oops");
  CHECK(brief.tail() == "oops");
}

TEST_CASE("a flood of lines is cut off, and the last line says so") {
  Collected got;
  const std::string line(99, 'y');
  for (std::size_t i = 0; i < 2 * LogLines::kMaxLogged / 100; ++i) got.log.feed(line + "\n");
  got.log.feed("last words");
  got.log.finish();
  CHECK(got.lines.size() <= LogLines::kMaxLogged / 100 + 2);
  CHECK(got.lines.back().find("left out") != std::string::npos);
  CHECK(got.log.tail().ends_with("last words"));
}
