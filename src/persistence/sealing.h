// Sealing bytes: encrypted and authenticated with AES-256-GCM (NIST SP 800-38D), bound to the place they belong to.
//
//   "mfe1" │ flags │ key's name │ salt, 16 bytes │ counter, 8 bytes │ ciphertext │ tag, 16 bytes
//            bit 0: zstd before it was encrypted (ciphertext cannot be made shorter afterwards)
//
// Keys and nonces. SP 800-38D forbids that a nonce (its "IV") ever comes twice under one key. Of its two ways to make sure,
// this is the deterministic one (8.2.1): each Sealer draws a salt of 128 random bits, derives a key of its own from it
// (HKDF-SHA256, RFC 5869, the salt as its salt), and counts: the 96 bits of a nonce are 32 zero bits, for whoever has the
// derived key is alone with it, and the counter. So processes need not agree on anything, and the bound of 2^32 messages per
// key, which holds for random nonces (8.3), does not apply; the counter ends the process before it could come round.
//
// Associated data: everything before the ciphertext, and the place, which is not stored: a sealed text that was moved to
// another place does not open.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "persistence/keyring.h"

namespace mapflow::persistence {

/// Where a sealed text came from: what one Sealer sealed later has a higher number.
struct SealMark {
  std::string salt;
  std::uint64_t counter = 0;
};

struct Unsealed {
  std::string bytes;
  SealMark mark;
};

/// Whether these bytes are some Sealer's, as far as their beginning tells. JSON never begins so.
bool is_sealed(std::string_view bytes);

/// Thread safety: every call from any thread.
class Sealer {
 public:
  explicit Sealer(Keyring keys);

  /// Under the newest key.
  std::string seal(std::string_view place, std::string_view bytes);
  /// Errors: corrupt (not sealed, damaged, of another place, or under another key of that name), invalid_state (its key is not
  /// there; names it).
  Result<Unsealed> open(std::string_view place, std::string_view sealed);

  const Keyring& keys() const { return keys_; }

 private:
  Result<SecretKey> key_of(const std::string& name, const std::string& salt);

  const Keyring keys_;
  const std::string salt_;
  const SecretKey own_;  ///< the newest key's, for salt_
  std::atomic<std::uint64_t> counter_{0};
  std::mutex mutex_;
  std::map<std::pair<std::string, std::string>, SecretKey> derived_;  ///< by name and salt; the latest ones
};

}  // namespace mapflow::persistence
