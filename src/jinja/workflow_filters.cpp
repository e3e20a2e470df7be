// The filters for workflows and agents: registration, and those that work on data.
#include "jinja/workflow_filters.h"

#include <algorithm>

#include <fmt/format.h>

#include "value/json.h"

namespace mapflow::jinja {

void add_workflow_filters(Environment& environment) {
  const workflow::Budget budget{environment.options().limits.memory_bytes};
  workflow::add_data_filters(environment, budget);
  workflow::add_text_filters(environment, budget);
  workflow::add_regex_filters(environment, budget);
  workflow::add_time_filters(environment);
  workflow::add_jsonpath_filter(environment, budget);
}

namespace workflow {

// --- arguments ----------------------------------------------------------------------------------------------------

const Value* Call::find(std::size_t position, std::string_view name) {
  if (position != SIZE_MAX) highest_ = std::max(highest_, position + 1);
  const Value* found = position < arguments_.positional.size() ? &arguments_.positional[position] : nullptr;
  for (const auto& [key, given] : arguments_.named)
    if (key.view() == name) {
      ++named_used_;
      if (found && !error_)
        error_ = Error(code::invalid_input, fmt::format("{} got multiple values for argument '{}'", filter_, name));
      found = &given;
    }
  return found;
}

void Call::wrong(std::string_view name, std::string_view wanted, const Value& got) {
  if (!error_)
    error_ = Error(code::invalid_input,
                   fmt::format("{}: '{}' must be {}, not {}", filter_, name, wanted, to_string(got.type())));
}

const Value& Call::value(std::size_t position, std::string_view name) {
  static const Value nothing;
  const Value* found = find(position, name);
  if (!found && !error_)
    error_ = Error(code::invalid_input, fmt::format("{} missing required argument '{}'", filter_, name));
  return found ? *found : nothing;
}

std::string_view Call::text(std::size_t position, std::string_view name) {
  const Value& found = value(position, name);
  if (found.is_text()) return found.as_text();
  wrong(name, "a string", found);
  return {};
}

std::string_view Call::text_or(std::size_t position, std::string_view name, std::string_view otherwise) {
  const Value* found = find(position, name);
  if (!found || found->is_null()) return otherwise;
  if (found->is_text()) return found->as_text();
  wrong(name, "a string", *found);
  return {};
}

std::int64_t Call::integer(std::size_t position, std::string_view name) {
  const Value& found = value(position, name);
  if (found.is_integer()) return found.as_integer();
  wrong(name, "an integer", found);
  return 0;
}

std::int64_t Call::integer_or(std::size_t position, std::string_view name, std::int64_t otherwise) {
  const Value* found = find(position, name);
  if (!found || found->is_null()) return otherwise;
  if (found->is_integer()) return found->as_integer();
  wrong(name, "an integer", *found);
  return otherwise;
}

double Call::number_or(std::size_t position, std::string_view name, double otherwise) {
  const Value* found = find(position, name);
  if (!found || found->is_null()) return otherwise;
  if (found->is_number()) return found->as_double();
  wrong(name, "a number", *found);
  return otherwise;
}

bool Call::flag_or(std::size_t position, std::string_view name, bool otherwise) {
  const Value* found = find(position, name);
  if (!found || found->is_null()) return otherwise;
  if (found->is_bool()) return found->as_bool();
  wrong(name, "true or false", *found);
  return otherwise;
}

std::optional<Error> Call::error() {
  if (error_) return error_;
  if (!any_position_ && arguments_.positional.size() > highest_)
    return Error(code::invalid_input, fmt::format("{} takes at most {} argument(s) ({} given)", filter_, highest_ - 1,
                                                  arguments_.positional.size() - 1));
  if (named_used_ < arguments_.named.size())
    return Error(code::invalid_input, fmt::format("{} got an unexpected keyword argument", filter_));
  return std::nullopt;
}

std::unexpected<Error> too_large(std::string_view filter) {
  return fail(code::resource_exhausted, fmt::format("what {} would make is larger than its limit allows", filter));
}

// --- data ---------------------------------------------------------------------------------------------------------

namespace {

Result<Value> fromjson(const Arguments& arguments) {
  Call call("fromjson", arguments);
  const std::string_view text = call.text(0, "value");
  MAPFLOW_JINJA_CHECK(call);
  return parse_json(text);
}

enum class Lists { replace, append, prepend };

Value merged(const Value& base, const Value& over, bool deep, Lists lists) {
  if (deep && base.is_array() && over.is_array() && lists != Lists::replace) {
    const bool append = lists == Lists::append;
    Array joined = (append ? base : over).as_array();
    const Array& rest = (append ? over : base).as_array();
    joined.insert(joined.end(), rest.begin(), rest.end());
    return Value(std::move(joined));
  }
  if (!base.is_object() || !over.is_object()) return over;
  Value result = base;
  for (const auto& [key, value] : over.as_object()) {
    const Value* before = deep ? base.find(key) : nullptr;
    result.set(key, before ? merged(*before, value, deep, lists) : value);
  }
  return result;
}

Result<Value> combine(const Arguments& arguments) {
  Call call("combine", arguments);
  call.accept_any_position();
  Value result = call.value(0, "value");
  const bool deep = call.flag_or(SIZE_MAX, "recursive", true);
  const std::string_view list_merge = call.text_or(SIZE_MAX, "list_merge", "replace");
  MAPFLOW_JINJA_CHECK(call);
  const auto lists = list_merge == "append" ? Lists::append : list_merge == "prepend" ? Lists::prepend : Lists::replace;
  if (lists == Lists::replace && list_merge != "replace")
    return fail(code::invalid_input, "combine: 'list_merge' must be replace, append or prepend");
  for (const Value& each : arguments.positional)
    if (!each.is_object())
      return fail(code::invalid_input, fmt::format("combine needs objects, not {}", to_string(each.type())));
  for (const Value& each : arguments.positional.subspan(1)) result = merged(result, each, deep, lists);
  return result;
}

Result<Value> zip(const Arguments& arguments) {
  Call call("zip", arguments);
  call.accept_any_position();
  call.value(0, "value");
  const Value* fill = call.find(SIZE_MAX, "fill");
  MAPFLOW_JINJA_CHECK(call);
  std::size_t shortest = SIZE_MAX, longest = 0;
  for (const Value& each : arguments.positional) {
    if (!each.is_array())
      return fail(code::invalid_input, fmt::format("zip needs arrays, not {}", to_string(each.type())));
    shortest = std::min(shortest, each.size());
    longest = std::max(longest, each.size());
  }
  Array rows;
  for (std::size_t i = 0; i < (fill ? longest : shortest); ++i) {
    Array row;
    for (const Value& each : arguments.positional) row.push_back(i < each.size() ? each.as_array()[i] : *fill);
    rows.emplace_back(std::move(row));
  }
  return Value(std::move(rows));
}

bool flatten_into(const Value& list, std::int64_t levels, Array& out, std::size_t most) {
  for (const Value& each : list.as_array()) {
    if (each.is_array() && levels != 0) {
      if (!flatten_into(each, levels > 0 ? levels - 1 : levels, out, most)) return false;
    } else {
      if (out.size() >= most) return false;
      out.push_back(each);
    }
  }
  return true;
}

HostFunction flatten(Budget budget) {
  return [budget](const Arguments& arguments) -> Result<Value> {
    Call call("flatten", arguments);
    const Value& list = call.value(0, "value");
    const std::int64_t levels = call.integer_or(1, "levels", -1);
    MAPFLOW_JINJA_CHECK(call);
    if (!list.is_array())
      return fail(code::invalid_input, fmt::format("flatten needs an array, not {}", to_string(list.type())));
    Array out;
    if (!flatten_into(list, levels, out, budget.bytes / sizeof(Value))) return too_large("flatten");
    return Value(std::move(out));
  };
}

}  // namespace

void add_data_filters(Environment& environment, Budget budget) {
  environment.add_filter("fromjson", fromjson);
  environment.add_filter("combine", combine);
  environment.add_filter("zip", zip);
  environment.add_filter("flatten", flatten(budget));
}

}  // namespace workflow

}  // namespace mapflow::jinja
