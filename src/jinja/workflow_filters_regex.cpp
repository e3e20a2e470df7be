// Regular expressions, by an engine whose time grows with the text and never explodes.
#include <algorithm>
#include <memory>
#include <vector>

#include <fmt/format.h>
#include <re2/re2.h>

#include "jinja/workflow_filters.h"

namespace mapflow::jinja::workflow {

namespace {

constexpr std::size_t kLongestPattern = 4096;

struct Pattern {
  std::unique_ptr<RE2> regex;
  int groups = 0;
};

Result<Pattern> compiled(std::string_view filter, std::string_view pattern, bool ignore_case, bool multiline) {
  if (pattern.size() > kLongestPattern)
    return fail(code::resource_exhausted,
                fmt::format("{}: the pattern is longer than {} bytes", filter, kLongestPattern));
  RE2::Options options;
  options.set_log_errors(false);
  options.set_case_sensitive(!ignore_case);
  options.set_max_mem(4 << 20);
  std::string source = multiline ? "(?m)" : "";
  source += pattern;
  Pattern made{std::make_unique<RE2>(source, options), 0};
  if (!made.regex->ok())
    return fail(code::invalid_input, fmt::format("{}: bad pattern: {}", filter, made.regex->error()));
  made.groups = made.regex->NumberOfCapturingGroups();
  return made;
}

// Calls `found(groups)` for each match, group 0 first, until it says stop.
template <class Found>
void each_match(const Pattern& pattern, std::string_view text, Found found) {
  std::vector<re2::StringPiece> groups(static_cast<std::size_t>(pattern.groups) + 1);
  const re2::StringPiece piece(text.data(), text.size());
  for (std::size_t at = 0; at <= text.size();) {
    if (!pattern.regex->Match(piece, at, text.size(), RE2::UNANCHORED, groups.data(), static_cast<int>(groups.size())))
      return;
    if (!found(groups)) return;
    const auto start = static_cast<std::size_t>(groups[0].data() - text.data());
    at = start + groups[0].size();
    if (groups[0].empty()) {
      ++at;  // past one character, so that an empty match is not found again
      while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) ++at;
    }
  }
}

Value text_of(re2::StringPiece piece) { return Value(std::string_view(piece.data(), piece.size())); }

// A replacement, cut into texts and the groups between them.
struct Rewrite {
  struct Part {
    std::string text;
    int group = -1;
  };
  std::vector<Part> parts;
};

Result<Rewrite> rewrite_of(std::string_view text, const Pattern& pattern) {
  Rewrite made;
  const auto plain = [&](char c) {
    if (made.parts.empty() || made.parts.back().group >= 0) made.parts.push_back({});
    made.parts.back().text += c;
  };
  const auto group = [&](int number) -> Status {
    if (number > pattern.groups)
      return fail(code::invalid_input, fmt::format("regex_replace: the pattern has no group {}", number));
    made.parts.push_back({"", number});
    return {};
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 1 == text.size()) {
      plain(text[i]);
      continue;
    }
    const char c = text[++i];
    if (c >= '0' && c <= '9') {
      MAPFLOW_TRY(group(c - '0'));
    } else if (c == 'g' && text.substr(i + 1).starts_with('<')) {
      const std::size_t end = text.find('>', i);
      if (end == std::string_view::npos) return fail(code::invalid_input, "regex_replace: '\\g<' is not closed");
      const std::string name(text.substr(i + 2, end - i - 2));
      const auto& names = pattern.regex->NamedCapturingGroups();
      const auto named = names.find(name);
      const bool number = name.size() == 1 && name[0] >= '0' && name[0] <= '9';
      if (named == names.end() && !number)
        return fail(code::invalid_input, fmt::format("regex_replace: the pattern has no group '{}'", name));
      MAPFLOW_TRY(group(number ? name[0] - '0' : named->second));
      i = end;
    } else {
      plain(c == 'n' ? '\n' : c == 't' ? '\t' : c);
    }
  }
  return made;
}

HostFunction regex_replace(Budget budget) {
  return [budget](const Arguments& arguments) -> Result<Value> {
    Call call("regex_replace", arguments);
    const std::string_view text = call.text(0, "value"), source = call.text(1, "pattern"),
                           replacement = call.text_or(2, "replacement", "");
    const std::int64_t count = call.integer_or(3, "count", 0);
    const bool ignore_case = call.flag_or(4, "ignorecase", false), multiline = call.flag_or(5, "multiline", false);
    MAPFLOW_JINJA_CHECK(call);
    MAPFLOW_ASSIGN(const Pattern pattern, compiled("regex_replace", source, ignore_case, multiline));
    MAPFLOW_ASSIGN(const Rewrite rewrite, rewrite_of(replacement, pattern));
    std::string out;
    std::size_t at = 0;
    std::int64_t done = 0;
    bool fits = true;
    each_match(pattern, text, [&](const auto& groups) {
      const auto start = static_cast<std::size_t>(groups[0].data() - text.data());
      out += text.substr(at, start - at);
      for (const Rewrite::Part& part : rewrite.parts) {
        if (part.group >= 0 && groups[static_cast<std::size_t>(part.group)].data())
          out.append(groups[static_cast<std::size_t>(part.group)].data(),
                     groups[static_cast<std::size_t>(part.group)].size());
        out += part.text;
      }
      at = start + groups[0].size();
      fits = out.size() <= budget.bytes;
      return fits && ++done != count;
    });
    if (!fits) return too_large("regex_replace");
    out += text.substr(at);
    return Value(out);
  };
}

Result<Value> regex_search(const Arguments& arguments) {
  Call call("regex_search", arguments);
  const std::string_view text = call.text(0, "value"), source = call.text(1, "pattern");
  const Value* wanted = call.find(2, "group");
  const bool ignore_case = call.flag_or(3, "ignorecase", false), multiline = call.flag_or(4, "multiline", false);
  MAPFLOW_JINJA_CHECK(call);
  MAPFLOW_ASSIGN(const Pattern pattern, compiled("regex_search", source, ignore_case, multiline));
  std::int64_t group = 0;
  if (wanted && wanted->is_integer()) group = wanted->as_integer();
  if (wanted && wanted->is_text()) {
    const auto& names = pattern.regex->NamedCapturingGroups();
    const auto named = names.find(std::string(wanted->as_text()));
    group = named == names.end() ? -1 : named->second;
  }
  if (group < 0 || group > pattern.groups)
    return fail(code::invalid_input, "regex_search: the pattern has no such group");
  Value result;
  each_match(pattern, text, [&](const auto& groups) {
    const auto& found = groups[static_cast<std::size_t>(group)];
    if (found.data()) result = text_of(found);
    return false;
  });
  return result;
}

HostFunction regex_findall(Budget budget) {
  return [budget](const Arguments& arguments) -> Result<Value> {
    Call call("regex_findall", arguments);
    const std::string_view text = call.text(0, "value"), source = call.text(1, "pattern");
    const bool ignore_case = call.flag_or(2, "ignorecase", false), multiline = call.flag_or(3, "multiline", false);
    MAPFLOW_JINJA_CHECK(call);
    MAPFLOW_ASSIGN(const Pattern pattern, compiled("regex_findall", source, ignore_case, multiline));
    Array found;
    std::size_t bytes = 0;
    each_match(pattern, text, [&](const auto& groups) {
      if (pattern.groups <= 1) {
        found.push_back(text_of(groups[static_cast<std::size_t>(pattern.groups)]));
      } else {
        Array row;
        for (int i = 1; i <= pattern.groups; ++i) row.push_back(text_of(groups[static_cast<std::size_t>(i)]));
        found.emplace_back(std::move(row));
      }
      bytes += 64 + groups.size() * 32 + groups[0].size();
      return bytes <= budget.bytes;
    });
    if (bytes > budget.bytes) return too_large("regex_findall");
    return Value(std::move(found));
  };
}

// `is match(pattern)`: from the start of the text; `is search(pattern)`: anywhere.
HostFunction regex_test(std::string_view name, RE2::Anchor anchor) {
  return [name, anchor](const Arguments& arguments) -> Result<Value> {
    Call call(name, arguments);
    const std::string_view text = call.text(0, "value"), source = call.text(1, "pattern");
    const bool ignore_case = call.flag_or(2, "ignorecase", false), multiline = call.flag_or(3, "multiline", false);
    MAPFLOW_JINJA_CHECK(call);
    MAPFLOW_ASSIGN(const Pattern pattern, compiled(name, source, ignore_case, multiline));
    return Value(pattern.regex->Match({text.data(), text.size()}, 0, text.size(), anchor, nullptr, 0));
  };
}

}  // namespace

void add_regex_filters(Environment& environment, Budget budget) {
  environment.add_filter("regex_replace", regex_replace(budget));
  environment.add_filter("regex_search", regex_search);
  environment.add_filter("regex_findall", regex_findall(budget));
  environment.add_test("match", regex_test("match", RE2::ANCHOR_START));
  environment.add_test("search", regex_test("search", RE2::UNANCHORED));
}

}  // namespace mapflow::jinja::workflow
