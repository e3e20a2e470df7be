#include "server/prometheus.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/ensure.h"

namespace mapflow::server {

namespace {

constexpr std::size_t kMostSeries = 1000;

void append_escaped(std::string& out, std::string_view text) {
  for (const char c : text) {
    if (c == '\\' || c == '"') out += '\\';
    if (c == '\n') out += "\\n";
    else out += c;
  }
}

}  // namespace

Family::Family(Type type, std::string name, std::string help, std::vector<std::string> labels, std::vector<double> buckets)
    : type_(type), name_(std::move(name)), help_(std::move(help)), labels_(std::move(labels)), bounds_(std::move(buckets)) {
  if (labels_.empty() && type_ != Type::histogram) series_[{}];  // a number without labels is there from the start
}

Family::Series& Family::at(const LabelValues& labels) {
  ensure(labels.size() == labels_.size(), "a series names a value for each label");
  const auto found = series_.find(labels);
  if (found != series_.end()) return found->second;
  if (series_.size() >= kMostSeries) return series_[LabelValues(labels_.size(), "other")];
  return series_[labels];
}

void Family::observe(const LabelValues& labels, double value) {
  Series& series = at(labels);
  if (series.buckets.empty()) series.buckets.resize(bounds_.size());
  const auto bucket = std::ranges::lower_bound(bounds_, value);
  if (bucket != bounds_.end()) ++series.buckets[static_cast<std::size_t>(bucket - bounds_.begin())];
  series.value += value;
  ++series.count;
}

std::string Family::label_text(const LabelValues& values, std::string_view bound) const {
  std::string text;
  const auto add = [&text](std::string_view name, std::string_view value) {
    text += text.empty() ? "{" : ",";
    text += name;
    text += "=\"";
    append_escaped(text, value);
    text += '"';
  };
  for (std::size_t i = 0; i < labels_.size(); ++i) add(labels_[i], values[i]);
  if (!bound.empty()) add("le", bound);
  return text.empty() ? text : text + "}";
}

void Family::write(std::string& out) const {
  if (series_.empty()) return;
  constexpr std::string_view types[] = {"counter", "gauge", "histogram"};
  out += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name_, help_, name_, types[static_cast<std::size_t>(type_)]);
  for (const auto& [labels, series] : series_) {
    if (type_ != Type::histogram) {
      out += fmt::format("{}{} {}\n", name_, label_text(labels), series.value);
      continue;
    }
    std::uint64_t below = 0;
    for (std::size_t i = 0; i < bounds_.size(); ++i) {
      below += series.buckets[i];
      out += fmt::format("{}_bucket{} {}\n", name_, label_text(labels, fmt::format("{}", bounds_[i])), below);
    }
    out += fmt::format("{}_bucket{} {}\n", name_, label_text(labels, "+Inf"), series.count);
    out += fmt::format("{}_sum{} {}\n{}_count{} {}\n", name_, label_text(labels), series.value, name_, label_text(labels), series.count);
  }
}

}  // namespace mapflow::server
