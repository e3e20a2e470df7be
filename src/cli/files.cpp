#include "cli/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <system_error>

namespace mapflow::cli {

namespace {

std::unexpected<Error> cannot_read(const std::string& path, int number) {
  const bool missing = number == ENOENT || number == ENOTDIR;
  const std::string why = missing ? "no such file" : std::generic_category().message(number);
  return fail(missing ? code::not_found : code::invalid_input, "cannot read '" + path + "': " + why);
}

Result<std::string> read_all(int descriptor, const std::string& path, std::size_t limit) {
  std::string text;
  std::array<char, 65536> chunk{};
  while (true) {
    const ssize_t got = read(descriptor, chunk.data(), chunk.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return cannot_read(path, errno);
    if (got == 0) return text;
    text.append(chunk.data(), static_cast<std::size_t>(got));
    if (text.size() > limit)
      return fail(code::invalid_input, "'" + path + "' is larger than " + std::to_string(limit >> 20) + " MiB");
  }
}

}  // namespace

Result<std::string> read_text(const std::string& path, std::size_t limit) {
  if (path == "-") return read_all(STDIN_FILENO, "standard input", limit);
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return cannot_read(path, errno);
  auto text = read_all(descriptor, path, limit);
  close(descriptor);
  return text;
}

Status write_text(const std::string& path, const std::string& text) {
  std::error_code failed;
  const std::filesystem::path file = std::filesystem::weakly_canonical(path, failed);
  const std::filesystem::path beside = file.parent_path() / ("." + file.filename().string() + ".mapflow-new");
  std::ofstream out(beside, std::ios::binary | std::ios::trunc);
  out << text;
  out.close();
  const bool replaces = !failed && std::filesystem::exists(file, failed);
  if (replaces && !failed) std::filesystem::permissions(beside, std::filesystem::status(file).permissions(), failed);
  if (out && !failed) std::filesystem::rename(beside, file, failed);
  if (out && !failed) return {};
  std::error_code ignored;
  std::filesystem::remove(beside, ignored);
  return fail(code::unavailable, "cannot write '" + path + "'" + (failed ? ": " + failed.message() : ""));
}

}  // namespace mapflow::cli
