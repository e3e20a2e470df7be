// The write-ahead log of a SQLite database as a file that can be synced from any thread.
//
// Its frames are SQLite's business. Opening and closing it beside SQLite is harmless: SQLite's locks are on the database and
// on the index of the log, never on the log itself (https://sqlite.org/walformat.html, "WAL Locks"), and the log stays the
// same file while any connection is open.
#pragma once

#include <string>

#include "base/error.h"
#include "base/unique_fd.h"

namespace mapflow::persistence::sqlite {

class LogFile {
 public:
  /// Of the database at `path`, which has written its log at least once and stays open. Errors: unavailable.
  static Result<LogFile> open(const std::string& path);
  /// Returns when the disk has what was written before. Errors: unavailable. From one thread at a time.
  Status sync();

 private:
  LogFile(std::string path, UniqueFd file) : path_(std::move(path)), file_(std::move(file)) {}
  std::string path_;
  UniqueFd file_;
};

}  // namespace mapflow::persistence::sqlite
