#include "base/time.h"

#include <doctest/doctest.h>

using namespace mapflow;
using namespace std::chrono_literals;

TEST_CASE("durations are read in every spelling people use") {
  CHECK(parse_duration("250ms").value() == 250ms);
  CHECK(parse_duration("10s").value() == 10s);
  CHECK(parse_duration("5m").value() == 5min);
  CHECK(parse_duration("2h").value() == 2h);
  CHECK(parse_duration("1d").value() == 24h);
  CHECK(parse_duration("1h30m").value() == 90min);
  CHECK(parse_duration("1.5s").value() == 1500ms);
  CHECK(parse_duration("90").value() == 90s);
  CHECK(parse_duration("PT5M").value() == 5min);
  CHECK(parse_duration("P1DT2H").value() == 26h);
  CHECK(parse_duration("PT0.5S").value() == 500ms);
}

TEST_CASE("what is no duration is refused with a hint") {
  for (const char* text : {"", "s", "5x", "-5s", "5m2h", "1s1s", "P", "PT", "P1Y", "1e3", "..", "1h30", "9999999d"}) {
    CAPTURE(text);
    const auto result = parse_duration(text);
    REQUIRE_FALSE(result);
    CHECK(result.error().is(code::invalid_input));
  }
}

TEST_CASE("a printed duration reads back as itself") {
  for (Duration span : {Duration(0), Duration(1), Duration(250ms), Duration(90min), Duration(36h), Duration(1'500'001)}) {
    CAPTURE(format_duration(span));
    CHECK(parse_duration(format_duration(span)).value() == span);
  }
  CHECK(format_duration(90min) == "1h30m");
}

TEST_CASE("timestamps are RFC 3339 in and out") {
  CHECK(to_micros(parse_timestamp("1970-01-01T00:00:01Z").value()) == 1'000'000);
  CHECK(parse_timestamp("2026-12-01T02:00:00+02:00").value() == parse_timestamp("2026-12-01T00:00:00Z").value());
  CHECK(parse_timestamp("2026-12-01").value() == parse_timestamp("2026-12-01T00:00:00Z").value());
  CHECK(format_timestamp(from_micros(1'500'000)) == "1970-01-01T00:00:01.500Z");
  CHECK(format_timestamp(from_micros(0)) == "1970-01-01T00:00:00Z");
  CHECK(format_timestamp(from_micros(-1)) == "1969-12-31T23:59:59.999999Z");
  CHECK(format_timestamp(parse_timestamp("2024-02-29T23:05:09.070Z").value()) == "2024-02-29T23:05:09.070Z");
  CHECK(format_timestamp(parse_timestamp("0001-01-01T00:00:00Z").value()) == "0001-01-01T00:00:00Z");
  CHECK(format_timestamp(parse_timestamp("9999-12-31T23:59:59.999999Z").value()) == "9999-12-31T23:59:59.999999Z");
  CHECK(format_timestamp(parse_timestamp("9999-12-31T23:59:59Z").value() + std::chrono::seconds(1)) == "10000-01-01T00:00:00Z");
  CHECK(format_timestamp(from_micros(1)) == "1970-01-01T00:00:00.000001Z");
  for (const char* text : {"", "2026-13-01", "2026-02-30", "2026-12-01T25:00:00Z", "2026-12-01T00:00:00+2", "tomorrow"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_timestamp(text));
  }
}

TEST_CASE("adding to a time never overflows") {
  CHECK(saturating_add(kNever, 1s) == kNever);
  CHECK(saturating_add(from_micros(5), Duration::max()) == kNever);
  CHECK(saturating_add(from_micros(INT64_MAX - 1), 1s) == kNever);
  CHECK(saturating_add(from_micros(5), Duration(7)) == from_micros(12));
}
