#include <doctest/doctest.h>

#include "cli/text.h"

using namespace mapflow;
using namespace mapflow::cli;

TEST_CASE("width counts columns, not bytes and not colours") {
  CHECK(display_width("abc") == 3);
  CHECK(display_width("zażółć") == 6);
  CHECK(display_width("日本") == 4);
  CHECK(display_width("\x1b[31mred\x1b[0m") == 3);
  CHECK(display_width("e\xCC\x81") == 1);
}

TEST_CASE("fitting cuts at the column and closes colours") {
  CHECK(fit("abcdef", 6) == "abcdef");
  CHECK(fit("abcdef", 4) == "abc…");
  CHECK(fit("日本語", 4) == "日…");
  CHECK(fit("\x1b[31mabcdef\x1b[0m", 3) == "\x1b[31mab…\x1b[0m");
  CHECK(fit("abc", 0).empty());
}

TEST_CASE("what others wrote cannot steer the terminal") {
  CHECK(printable("a\x1b[2Jb\r\nc\td\x07") == "a[2Jb c d");
  CHECK(printable("bad \xff byte") == "bad \xEF\xBF\xBD byte");
  CHECK(printable("\xE2\x80\xAE" "evil") == "evil");
  CHECK(printable_lines("a\nb\x1b") == "a\nb");
}

TEST_CASE("spans read well at every size") {
  using namespace std::chrono_literals;
  CHECK(format_elapsed(0s) == "0.0s");
  CHECK(format_elapsed(-5s) == "0.0s");
  CHECK(format_elapsed(12340ms) == "12.3s");
  CHECK(format_elapsed(125s) == "2m 05s");
  CHECK(format_elapsed(3780s) == "1h 03m");
  CHECK(format_elapsed(50h) == "2d 02h");
}

TEST_CASE("words are quoted for a shell only where they must be") {
  CHECK(shell_quoted("sqlite:x.db") == "sqlite:x.db");
  CHECK(shell_quoted("my file") == "'my file'");
  CHECK(shell_quoted("it's") == R"('it'\''s')");
  CHECK(shell_quoted("") == "''");
  CHECK(shell_quoted("a;rm") == "'a;rm'");
}

TEST_CASE("a table lines its columns up") {
  Table table({"ID", "STATE"});
  table.row({"long-name", "ok"});
  table.row({"x", "failed"});
  const Stream nowhere(-1);
  CHECK(table.lines(nowhere) == std::vector<std::string>{"ID         STATE", "long-name  ok", "x          failed"});
}
