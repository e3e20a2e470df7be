// How the filters for workflows read their arguments. They are ordinary host functions, written against the public
// interface only.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "jinja/jinja.h"

namespace mapflow::jinja::workflow {

/// The arguments of one call, by position (the filtered value is 0) or by name. What is wrong is kept, and found by
/// `error()` once all has been read.
class Call {
 public:
  Call(std::string_view filter, const Arguments& arguments) : filter_(filter), arguments_(arguments) {}

  /// The argument, or nullptr when it was not given. Each is to be asked for once. SIZE_MAX: by name only.
  const Value* find(std::size_t position, std::string_view name);
  /// The text of an argument, which must be one.
  std::string_view text(std::size_t position, std::string_view name);
  std::string_view text_or(std::size_t position, std::string_view name, std::string_view otherwise);
  std::int64_t integer(std::size_t position, std::string_view name);
  std::int64_t integer_or(std::size_t position, std::string_view name, std::int64_t otherwise);
  double number_or(std::size_t position, std::string_view name, double otherwise);
  bool flag_or(std::size_t position, std::string_view name, bool otherwise);
  const Value& value(std::size_t position, std::string_view name);

  /// To be asked after the last argument was read: what was wrong with them, unknown names included.
  std::optional<Error> error();
  /// Any number of positional arguments is fine.
  void accept_any_position() { any_position_ = true; }

 private:
  void wrong(std::string_view name, std::string_view wanted, const Value& got);

  std::string_view filter_;
  const Arguments& arguments_;
  std::size_t named_used_ = 0;
  std::size_t highest_ = 0;
  bool any_position_ = false;
  std::optional<Error> error_;
};

/// `if (auto bad = call.error()) return fail(*bad);`
#define MAPFLOW_JINJA_CHECK(call) \
  if (auto mapflow_bad_call = (call).error()) return ::mapflow::fail(*std::move(mapflow_bad_call))

/// Bounds what one call may make.
struct Budget {
  std::size_t bytes;
};
std::unexpected<Error> too_large(std::string_view filter);

void add_data_filters(Environment& environment, Budget budget);
void add_text_filters(Environment& environment, Budget budget);
void add_regex_filters(Environment& environment, Budget budget);
void add_time_filters(Environment& environment);
void add_jsonpath_filter(Environment& environment, Budget budget);

}  // namespace mapflow::jinja::workflow
