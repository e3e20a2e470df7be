// What was stored in the first format is read for ever.
#include <doctest/doctest.h>

#include <array>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "kernel/codec.h"
#include "kernel/driver.h"
#include "value/json.h"

namespace mapflow::testing {

namespace {

using namespace kernel;

std::string from_hex(std::string_view digits) {
  const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  std::string bytes;
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2) bytes += static_cast<char>(digit(digits[i]) * 16 + digit(digits[i + 1]));
  return bytes;
}

// Written by the last program that wrote the first format: an instance's start, its frame, a step, its attempt, its call.
constexpr std::string_view kFirstRecords =
    "0080809296a896a20602693104746573740131046861736800000000000000000600000007feffffffffffffffff0100000280809296a896a2060100"
    "00000001000480809296a896a206010001feffffffffffffffff010580809296a896a206010180adf49aa896a2060680809296a896a2060101010607"
    "06616374696f6e04066368617267650464617461060105746f74616c0218076865616465727306010178040179087072696f72697479040468696768"
    "057265706c790100046b696e6404056167656e7406746172676574040462616e6b00";
// The state after them.
constexpr std::string_view kFirstState =
    "01050269310474657374013104686173680000000000000006000001000080809296a896a20680809296a896a206feffffffffffffffff0107000600"
    "0600000000000101010001010001010000000180809296a896a206feffffffffffffffff0180adf49aa896a206feffffffffffffffff010000060706"
    "616374696f6e04066368617267650464617461060105746f74616c0218076865616465727306010178040179087072696f7269747904046869676805"
    "7265706c790100046b696e6404056167656e7406746172676574040462616e6b00000000000000000000010101000000000101010000000000000000"
    "0000000000010000000000000000000002000000feffffffffffffffff010001010100000000";
constexpr std::string_view kFirstChildCall =
    "0680809296a896a2060201010606067461726765740404736869700776657273696f6e0401320464617461060101610202057265706c7901010f6f6e"
    "5f706172656e745f636c6f736504076162616e646f6e046b696e640408776f726b666c6f7700";
constexpr std::string_view kFirstHandlerCall =
    "0680809296a896a20603010106040464617461000c6865617274626561745f75730280ade204046b696e64040768616e646c65720674617267657404"
    "076e6f7468696e6700";

const Timestamp kAt = from_micros(1764000000000000);

CallPlaced only_call(std::string_view hex) {
  const std::string bytes = from_hex(hex);
  RecordReader reader(bytes);
  const auto record = reader.next();
  REQUIRE(record.has_value());
  CHECK(reader.done());
  CHECK(record->at == kAt);
  return std::get<CallPlaced>(record->body);
}

}  // namespace

TEST_CASE("records in the first format read back, and give the state they gave") {
  Driver driver(workflow({message("charge", "bank", object({{"total", 12}}))}));
  const std::string bytes = from_hex(kFirstRecords);
  State state;
  std::vector<Timestamp> times;
  for (RecordReader reader(bytes); !reader.done();) {
    const auto record = reader.next();
    REQUIRE(record.has_value());
    times.push_back(record->at);
    apply(*driver.program, state, *record);
  }
  CHECK(times == std::vector<Timestamp>(5, kAt));
  const Run* const run = state.run(RunId(1));
  REQUIRE(run != nullptr);
  CHECK(run->deadline == kAt + std::chrono::seconds(5));
  CHECK(run->total_deadline == kNever);
  REQUIRE(run->request.has_value());
  CHECK(to_json(to_value(*run->request)) ==
        R"({"action":"charge","data":{"total":12},"headers":{"x":"y"},"priority":"high","reply":false,"kind":"agent","target":"bank"})");
  const auto before = decode_state(from_hex(kFirstState));
  REQUIRE(before.has_value());
  CHECK(encode_state(*before) == encode_state(state));
}

TEST_CASE("calls of children and handlers in the first format read back") {
  const CallPlaced child = only_call(kFirstChildCall);
  REQUIRE(child.request.has_value());
  CHECK(to_json(to_value(*child.request)) ==
        R"({"data":{"a":1},"version":"2","on_parent_close":"abandon","kind":"workflow","target":"ship"})");
  const CallPlaced handler = only_call(kFirstHandlerCall);
  REQUIRE(handler.request.has_value());
  CHECK(handler.request->kind == Request::Kind::handler);
  CHECK(handler.request->heartbeat == std::chrono::seconds(5));
  CHECK(handler.request->target == Text("nothing"));
}

TEST_CASE("records of one time share it, and every time reads back") {
  const std::array times{kAt, kAt, from_micros(-1), from_micros(0), kNever, Timestamp::min(), Timestamp::min()};
  std::vector<Record> records;
  for (const Timestamp at : times) records.push_back({at, StepWaiting{RunId(1), at, "s"}});
  std::string bytes;
  encode_records(bytes, records);
  RecordReader reader(bytes);
  for (const Timestamp at : times) {
    const auto record = reader.next();
    REQUIRE(record.has_value());
    CHECK(record->at == at);
    CHECK(std::get<StepWaiting>(record->body).due == at);
  }
  CHECK(reader.done());
  CHECK_FALSE(reader.next().has_value());
}

TEST_CASE("a first record without a time is damage") {
  std::vector<Record> records(2, {kAt, TimerFired{RunId(1)}});
  std::string both, one;
  encode_records(both, records);
  encode_records(one, std::span(records).first(1));
  const auto second = RecordReader(std::string_view(both).substr(one.size())).next();
  REQUIRE_FALSE(second.has_value());
  CHECK(second.error().is(code::corrupt));
}

TEST_CASE("a state of a version that is not known yet is refused") {
  std::string bytes = encode_state(State());
  bytes.front() = 3;
  const auto state = decode_state(bytes);
  REQUIRE_FALSE(state.has_value());
  CHECK(state.error().is(code::invalid_state));
}

}  // namespace mapflow::testing
