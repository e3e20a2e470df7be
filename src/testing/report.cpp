#include "testing/report.h"

#include <fmt/format.h>

#include <algorithm>

#include "value/json.h"

namespace mapflow::testing {

namespace {

/// XML 1.0 has no place at all for most control characters.
std::string xml(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '<') out += "&lt;";
    else if (c == '>') out += "&gt;";
    else if (c == '&') out += "&amp;";
    else if (c == '"') out += "&quot;";
    else if (c == '\n') out += "&#10;";
    else if (static_cast<unsigned char>(c) < 0x20 && c != '\t') out += "\xEF\xBF\xBD";  // U+FFFD
    else out += c;
  }
  return out;
}

std::string joined(const std::vector<std::string>& findings) { return fmt::format("{}", fmt::join(findings, "\n")); }

/// A description ends at a line's end, and "#" begins a directive.
std::string tap_text(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '#' || c == '\\') out += '\\';
    out += c == '\n' ? ' ' : c;
  }
  return out;
}

std::size_t failures(const FileReport& report) {
  return static_cast<std::size_t>(std::ranges::count_if(report.cases, [](const CaseReport& each) { return !each.findings.empty(); }));
}

double seconds(const FileReport& report) {
  double sum = 0;
  for (const CaseReport& each : report.cases) sum += each.seconds;
  return sum;
}

}  // namespace

std::size_t failures(const Reports& reports) {
  std::size_t count = 0;
  for (const FileReport& report : reports) count += failures(report);
  return count;
}

std::size_t tests(const Reports& reports) {
  std::size_t count = 0;
  for (const FileReport& report : reports) count += report.cases.size();
  return count;
}

std::string to_junit(const Reports& reports) {
  std::string out = fmt::format("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites tests=\"{}\" failures=\"{}\">\n", tests(reports), failures(reports));
  for (const FileReport& report : reports) {
    out += fmt::format("  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"0\" skipped=\"0\" time=\"{:.3f}\">\n", xml(report.file),
                       report.cases.size(), failures(report), seconds(report));
    for (const CaseReport& each : report.cases) {
      out += fmt::format("    <testcase name=\"{}\" classname=\"{}\" file=\"{}\" line=\"{}\" time=\"{:.3f}\"", xml(each.name), xml(report.file),
                         xml(report.file), each.where.line, each.seconds);
      if (each.findings.empty()) out += "/>\n";
      else out += fmt::format(">\n      <failure message=\"{}\">{}</failure>\n    </testcase>\n", xml(each.findings.front()), xml(joined(each.findings)));
    }
    out += "  </testsuite>\n";
  }
  return out + "</testsuites>\n";
}

std::string to_tap(const Reports& reports) {
  std::string out = fmt::format("TAP version 14\n1..{}\n", tests(reports));
  std::size_t number = 0;
  for (const FileReport& report : reports)
    for (const CaseReport& each : report.cases) {
      out += fmt::format("{} {} - {}: {}\n", each.findings.empty() ? "ok" : "not ok", ++number, tap_text(report.file), tap_text(each.name));
      if (each.findings.empty()) continue;
      // YAML, of which JSON is a part.
      out += fmt::format("  ---\n  message: {}\n  at: {}\n", to_json(Value(joined(each.findings))), to_json(Value(each.where.to_string())));
      if (each.seed > 0) out += fmt::format("  seed: {}\n", each.seed);
      out += "  ...\n";
    }
  return out;
}

Value to_value(const Reports& reports) {
  Value out(Array{});
  for (const FileReport& report : reports)
    for (const CaseReport& each : report.cases) {
      Value findings(Array{});
      for (const std::string& finding : each.findings) findings.push_back(finding);
      Value test = object({{"file", report.file}, {"name", each.name}, {"where", each.where.to_string()}, {"passed", each.findings.empty()},
                           {"seconds", each.seconds}, {"findings", std::move(findings)}});
      if (each.seed > 0) test.set("seed", each.seed);
      out.push_back(std::move(test));
    }
  return out;
}

}  // namespace mapflow::testing
