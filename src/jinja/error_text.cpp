#include "jinja/error_text.h"

#include <algorithm>
#include <string>

#include "jinja/unicode.h"
#include "value/json.h"

namespace mapflow::jinja::detail {

namespace {

constexpr std::size_t kLongestLine = 120;  // characters of the source line that are shown

std::string_view class_name(FailureClass kind) {
  static constexpr std::string_view names[] = {"syntax", "undefined", "type", "other", "limit"};
  return names[static_cast<std::size_t>(kind)];
}

// The line around an offset and a caret below it; a long line is cut around the place.
std::string excerpt(std::string_view source, std::size_t at) {
  at = std::min(at, source.size());
  const std::size_t before = at == 0 ? std::string_view::npos : source.rfind('\n', at - 1);
  const std::size_t from = before == std::string_view::npos ? 0 : before + 1;
  const std::size_t to = std::min(source.find('\n', at), source.size());
  std::string_view line = source.substr(from, to - from);
  std::size_t column = unicode::length(line.substr(0, at - from));
  if (column > kLongestLine / 2) {
    const std::size_t cut = unicode::offset(line, column - kLongestLine / 2);
    line.remove_prefix(cut);
    column = kLongestLine / 2;
  }
  line = line.substr(0, unicode::offset(line, kLongestLine));
  std::string text(line);
  text += '\n';
  // Tabs are kept, so that the caret stands below its character however wide they are shown.
  for (std::size_t i = 0, byte = 0; i < column; ++i) {
    text += byte < line.size() && line[byte] == '\t' ? '\t' : ' ';
    if (byte < line.size()) byte += unicode::decode(line.substr(byte)).width;
  }
  return text + '^';
}

}  // namespace

Location place_of(const Program& program, std::uint32_t offset) {
  const std::string_view source = program.source;
  const std::size_t at = std::min<std::size_t>(offset, source.size());
  const auto lines =
      static_cast<std::uint32_t>(std::count(source.begin(), source.begin() + static_cast<std::ptrdiff_t>(at), '\n'));
  const std::size_t before = lines == 0 ? 0 : source.rfind('\n', at - 1) + 1;
  Location place;
  place.file = program.origin.file;
  place.line = lines + std::max(1u, program.origin.line);
  place.column = static_cast<std::uint32_t>(unicode::length(source.substr(before, at - before))) + 1;
  if (lines == 0 && program.origin.column > 1) place.column += program.origin.column - 1;
  return place;
}

Error to_error(const Failure& failure, const Program& rendered) {
  if (failure.ready) return *failure.ready;
  const Program& program = failure.program ? *failure.program : rendered;
  Error error(failure.kind == FailureClass::limit ? code::resource_exhausted : code::template_error, failure.message,
              failure.hint);
  error.where = place_of(program, failure.at);
  error.details = to_json(object({{"class", class_name(failure.kind)},
                                  {"line", error.where.line},
                                  {"column", error.where.column},
                                  {"source", excerpt(program.source, failure.at)}}));
  return error;
}

}  // namespace mapflow::jinja::detail
