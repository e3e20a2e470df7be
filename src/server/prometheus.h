// Numbers for Prometheus, in its text format (prometheus.io, "Exposition formats", version 0.0.4).
//
// Debian's prometheus-cpp brings a web server and curl of its own along and is a shared library more; what is needed of
// it is this file.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace mapflow::server {

using LabelValues = std::vector<std::string>;

/// One name with its series, one for each combination of label values. Past 1,000 of them the rest is counted under
/// "other", for label values may come from definitions. Thread safety: the caller's.
class Family {
 public:
  enum class Type : std::uint8_t { counter, gauge, histogram };
  /// `buckets`: upper bounds, ascending; of a histogram.
  Family(Type type, std::string name, std::string help, std::vector<std::string> labels = {}, std::vector<double> buckets = {});

  void add(const LabelValues& labels, double amount = 1) { at(labels).value += amount; }
  void set(const LabelValues& labels, double value) { at(labels).value = value; }
  void observe(const LabelValues& labels, double value);

  /// Appends HELP, TYPE and every series; nothing when there is no series yet.
  void write(std::string& out) const;

 private:
  struct Series {
    double value = 0;                   ///< of a histogram: the sum
    std::uint64_t count = 0;
    std::vector<std::uint64_t> buckets;  ///< not cumulative
  };
  Series& at(const LabelValues& labels);
  std::string label_text(const LabelValues& values, std::string_view bound = {}) const;

  Type type_;
  std::string name_, help_;
  std::vector<std::string> labels_;
  std::vector<double> bounds_;
  std::map<LabelValues, Series> series_;
};

}  // namespace mapflow::server
