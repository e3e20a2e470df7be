#include "builder/render.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <vector>

#include "builder/codes.h"
#include "builder/utf8.h"

namespace mapflow::builder {

namespace {

constexpr std::size_t kWidest = 160;  // of source shown from a line, in characters

bool is_continuation(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) == 0x80; }

/// `line` from character `first` (0-based), at most kWidest characters.
std::string_view window_of(std::string_view line, std::size_t first) {
  std::size_t begin = 0;
  for (std::size_t at = 0; at < first && begin < line.size(); ++at)
    do ++begin; while (begin < line.size() && is_continuation(line[begin]));
  std::size_t end = begin;
  for (std::size_t at = 0; at < kWidest && end < line.size(); ++at)
    do ++end; while (end < line.size() && is_continuation(line[end]));
  return line.substr(begin, end - begin);
}

std::string plural(std::ptrdiff_t count, std::string_view noun) { return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s"); }

}  // namespace

namespace {

std::string with_line(const Diagnostic& diagnostic, std::string_view line) {
  std::string out = diagnostic.to_string() + "\n";
  if (!diagnostic.where.known() || line.empty()) return out;
  const std::size_t column = diagnostic.where.column > 0 ? diagnostic.where.column - 1 : 0;
  // Long lines are shown around the place.
  const std::size_t first = column > kWidest * 3 / 4 ? column - kWidest / 2 : 0;
  const std::string_view shown = window_of(line, first);
  std::string pad;
  std::size_t characters = 0;
  for (const char byte : shown) {
    if (is_continuation(byte)) continue;
    if (characters++ == column - first) break;
    pad += byte == '\t' ? '\t' : ' ';
  }
  fmt::format_to(std::back_inserter(out), "{:>5} | {}\n{:>5} | {}^\n", diagnostic.where.line, shown, "", pad);
  return out;
}

/// The lines of one text, found once for however many diagnostics.
class Lines {
 public:
  explicit Lines(std::string_view text) : text_(text) {
    for (std::size_t at = 0; at < text.size(); ++at)
      if (at == 0 || text[at - 1] == '\n') starts_.push_back(at);
  }
  std::string_view line(std::uint32_t number) const {
    return number == 0 || number > starts_.size() ? std::string_view() : line_of(text_.substr(starts_[number - 1]), 1);
  }

 private:
  std::string_view text_;
  std::vector<std::size_t> starts_;
};

}  // namespace

std::string render(const Diagnostic& diagnostic, std::string_view source) { return with_line(diagnostic, line_of(source, diagnostic.where.line)); }

std::string render(const Diagnostics& diagnostics, const SourceText& source) {
  if (diagnostics.empty()) return {};
  std::string out;
  std::map<std::string, Lines> files;
  for (const Diagnostic& each : diagnostics) {
    auto file = files.find(each.where.file);
    if (file == files.end()) file = files.emplace(each.where.file, Lines(source ? source(each.where.file) : std::string_view())).first;
    out += with_line(each, file->second.line(each.where.line));
  }
  const auto errors = std::ranges::count(diagnostics, Severity::error, &Diagnostic::severity);
  const auto warnings = std::ssize(diagnostics) - errors;
  if (errors > 0) out += plural(errors, "error");
  if (errors > 0 && warnings > 0) out += ", ";
  if (warnings > 0) out += plural(warnings, "warning");
  return out + "\n";
}

Value to_value(const Diagnostics& diagnostics) {
  Array list;
  for (const Diagnostic& each : diagnostics) {
    list.push_back(object({{"severity", each.severity == Severity::error ? "error" : "warning"},
                           {"code", each.code},
                           {"file", each.where.file},
                           {"line", each.where.line},
                           {"column", each.where.column},
                           {"message", each.message},
                           {"hint", each.hint}}));
  }
  return object({{"ok", !has_errors(diagnostics)}, {"diagnostics", Value(std::move(list))}});
}

void sort_diagnostics(Diagnostics& diagnostics) {
  std::map<std::string, std::size_t> files;
  for (const Diagnostic& each : diagnostics) files.emplace(each.where.file, files.size());
  const auto order = [&](const Diagnostic& each) { return std::tuple(files[each.where.file], each.where.line, each.where.column); };
  std::ranges::stable_sort(diagnostics, {}, order);
  const auto covers = [](const Diagnostic& earlier, const Diagnostic& later) {
    if (earlier.code == later.code && earlier.message == later.message) return true;
    return earlier.code == mf::wrong_type && (later.code == mf::wrong_type || later.code == mf::missing || later.code == mf::no_steps ||
                                              later.code == mf::bad_schema);
  };
  Diagnostics kept;
  for (Diagnostic& each : diagnostics) {
    bool known = false;
    for (auto other = kept.rbegin(); other != kept.rend() && other->where == each.where && !known; ++other) known = covers(*other, each);
    if (!known) kept.push_back(std::move(each));
  }
  diagnostics = std::move(kept);
}

}  // namespace mapflow::builder
