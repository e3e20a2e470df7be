#include "base/error.h"

#include <fmt/format.h>

namespace mapflow {

std::string Location::to_string() const {
  if (!known()) return file;
  if (column == 0) return fmt::format("{}:{}", file, line);
  return fmt::format("{}:{}:{}", file, line, column);
}

std::string Error::to_string() const {
  std::string text = where.to_string();
  if (!text.empty()) text += ": ";
  text += code;
  text += ": ";
  text += message;
  if (!path.empty()) text += fmt::format(" [step {}{}]", path, attempt > 1 ? fmt::format(", attempt {}", attempt) : "");
  if (!hint.empty()) text += fmt::format(" ({})", hint);
  if (cause) text += fmt::format("; caused by {}", cause->to_string());
  return text;
}

bool Error::operator==(const Error& other) const {
  const bool same_cause = cause && other.cause ? *cause == *other.cause : !cause && !other.cause;
  return same_cause && code == other.code && message == other.message && hint == other.hint && where == other.where &&
         step == other.step && path == other.path && attempt == other.attempt && retryable == other.retryable &&
         retry_after_us == other.retry_after_us && at_us == other.at_us && details == other.details;
}

bool retryable_by_default(std::string_view code) {
  for (std::string_view final_code :
       {code::invalid_input, code::invalid_output, code::invalid_state, code::template_error, code::cancelled,
        code::resource_exhausted, code::not_found, code::poison, code::no_quorum, code::corrupt}) {
    if (code == final_code) return false;
  }
  return true;
}

}  // namespace mapflow
