#include "cli/console.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "cli/text.h"
#include "model/message.h"
#include "value/json.h"

namespace mapflow::cli {

namespace {

bool set_and_not_empty(const char* variable) {
  const char* value = std::getenv(variable);
  return value && *value;
}

std::string_view escape_of(Color color) {
  switch (color) {
    case Color::plain: return "";
    case Color::red: return "\x1b[31m";
    case Color::green: return "\x1b[32m";
    case Color::yellow: return "\x1b[33m";
    case Color::blue: return "\x1b[34m";
    case Color::cyan: return "\x1b[36m";
    case Color::dim: return "\x1b[2m";
    case Color::bold: return "\x1b[1m";
  }
  return "";
}

winsize size_of(int descriptor) {
  winsize size{};
  if (ioctl(descriptor, TIOCGWINSZ, &size) != 0) size = {};
  return size;
}

}  // namespace

Stream::Stream(int descriptor) : descriptor_(descriptor) {
  const char* term = std::getenv("TERM");
  terminal_ = isatty(descriptor) == 1 && term && *term && std::string_view(term) != "dumb";
  color_ = terminal_ && !set_and_not_empty("NO_COLOR");
}

void Stream::write(std::string_view text) {
  while (!text.empty() && !broken_) {
    const ssize_t written = ::write(descriptor_, text.data(), text.size());
    if (written >= 0) {
      text.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno == EAGAIN) {  // the descriptor is shared with somebody who made it non-blocking
      pollfd ready{.fd = descriptor_, .events = POLLOUT, .revents = 0};
      poll(&ready, 1, -1);
    } else if (errno != EINTR) {
      broken_ = true;
    }
  }
}

void Stream::line(std::string_view text) {
  std::string whole(text);
  whole += '\n';
  write(whole);
}

std::size_t Stream::columns() const {
  const winsize size = size_of(descriptor_);
  return size.ws_col > 0 ? size.ws_col : 80;
}

std::size_t Stream::rows() const {
  const winsize size = size_of(descriptor_);
  return size.ws_row > 0 ? size.ws_row : 24;
}

std::string Stream::paint(Color color, std::string_view text) const {
  if (!color_ || color == Color::plain || text.empty()) return std::string(text);
  std::string painted(escape_of(color));
  painted += text;
  painted += "\x1b[0m";
  return painted;
}

void Console::document(const Value& value) { out.line(out.terminal() ? to_json_pretty(value) : to_json(value)); }

void Console::error(const Error& error, bool json) {
  std::string text;
  if (const std::string place = error.where.to_string(); !place.empty()) text += printable(place) + ": ";
  text += err.paint(Color::red, "error: ") + printable(error.message);
  err.line(text);
  for (const Error* cause = error.cause.get(); cause; cause = cause->cause.get())
    err.line("  because: " + printable(cause->to_string()));
  if (!error.hint.empty()) err.line("  " + printable(error.hint));
  if (json) document(object({{"error", to_value(error)}}));
}

ExitCode refuse(Console& console, const Error& error, bool json) {
  console.error(error, json);
  return exit_code_of(error);
}

}  // namespace mapflow::cli
