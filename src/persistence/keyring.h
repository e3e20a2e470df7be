// The keys that stored payloads are encrypted under: several, so that one can follow another.
//
//   # one a line: a name, and 64 hexadecimal digits (`openssl rand -hex 32`)
//   2026-01 3f…
//   2026-07 a9…        the last one encrypts, all decrypt
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace mapflow::persistence {

/// 256 bits that leave no trace in memory. Never printed.
class SecretKey {
 public:
  static constexpr std::size_t kBytes = 32;

  SecretKey() = default;
  SecretKey(const SecretKey&) = default;
  SecretKey& operator=(const SecretKey&) = default;
  ~SecretKey();

  unsigned char* data() { return bytes_.data(); }
  const unsigned char* data() const { return bytes_.data(); }

 private:
  std::array<unsigned char, kBytes> bytes_{};
};

class Keyring {
 public:
  /// `where` names the text in errors, which never repeat anything of a line but its name. Commas separate as lines do.
  /// Errors: invalid_input.
  static Result<Keyring> parse(std::string_view text, const std::string& where);
  /// Reads the file that is named, or for `env=NAME` the environment. Errors: unavailable; invalid_input.
  static Result<Keyring> load(std::string_view source);

  /// Whether a name may be one of a key: 1 to 32 letters, digits and any of _.-
  static bool fits(std::string_view name);

  const std::string& newest() const { return keys_.back().name; }
  /// Null when there is none of this name.
  const SecretKey* find(std::string_view name) const;
  /// Where they came from.
  const std::string& where() const { return where_; }

 private:
  struct Named {
    std::string name;
    SecretKey key;
  };
  std::vector<Named> keys_;
  std::string where_;
};

}  // namespace mapflow::persistence
