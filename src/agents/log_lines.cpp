#include "agents/log_lines.h"

#include <algorithm>

namespace mapflow::agents {

void LogLines::feed(std::string_view bytes) {
  if (bytes.size() >= kTail) tail_.clear();
  tail_.append(bytes.substr(bytes.size() - std::min(bytes.size(), kTail)));
  if (tail_.size() > 4 * kTail) tail_.erase(0, tail_.size() - kTail);  // rarely, so that each byte moves about once

  while (!bytes.empty()) {
    const std::size_t end = bytes.find('\n');
    const std::size_t room = kMaxLine - line_.size();
    const std::size_t take = std::min({end, bytes.size(), room});
    line_.append(bytes.substr(0, take));
    bytes.remove_prefix(take);
    const bool ends_here = !bytes.empty() && bytes.front() == '\n';
    if (ends_here)
      bytes.remove_prefix(1);
    else if (line_.size() < kMaxLine)
      continue;
    if (ends_here && line_.ends_with('\r')) line_.pop_back();
    emit(line_);
    line_.clear();
  }
}

void LogLines::finish() {
  if (!line_.empty()) emit(line_);
  line_.clear();
}

std::string_view LogLines::tail() const {
  const std::string_view all = tail_;
  return all.substr(all.size() - std::min(all.size(), kTail));
}

void LogLines::emit(std::string_view line) {
  if (!sink_ || logged_ >= kMaxLogged) return;
  logged_ += line.size() + 1;
  sink_(line);
  if (logged_ >= kMaxLogged) sink_("(more was written than is kept; the rest of this call's lines is left out)");
}

}  // namespace mapflow::agents
