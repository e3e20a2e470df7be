#include "persistence/sqlite_log_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

namespace mapflow::persistence::sqlite {
namespace {

Error disk_error(const std::string& path, const char* what) {
  return Error(code::unavailable, fmt::format("sqlite: cannot {} '{}': {}", what, path, std::strerror(errno)),
               "look after the disk, then start again: what was not acknowledged may or may not be there");
}

Result<UniqueFd> open_to_sync(const std::string& path, int flags) {
  UniqueFd file(::open(path.c_str(), flags | O_CLOEXEC));
  if (!file) return fail(disk_error(path, "open"));
  return file;
}

}  // namespace

Result<LogFile> LogFile::open(const std::string& path) {
  const std::string log = path + "-wal";
  MAPFLOW_ASSIGN(UniqueFd file, open_to_sync(log, O_RDWR));
  // A log that was made just now is only found again after a crash when its folder knows of it.
  const std::string folder = std::filesystem::absolute(path).parent_path().string();
  MAPFLOW_ASSIGN(const UniqueFd entries, open_to_sync(folder, O_RDONLY | O_DIRECTORY));
  if (::fsync(entries.get()) != 0) return fail(disk_error(folder, "sync"));
  return LogFile(log, std::move(file));
}

Status LogFile::sync() {
  if (::fdatasync(file_.get()) != 0) return fail(disk_error(path_, "sync"));
  return {};
}

}  // namespace mapflow::persistence::sqlite
