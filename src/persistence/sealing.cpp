#include "persistence/sealing.h"

#include <fmt/format.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include <array>
#include <climits>
#include <memory>

#include "base/ensure.h"
#include "persistence/compression.h"

namespace mapflow::persistence {
namespace {

constexpr std::string_view kMagic = "mfe1";
constexpr std::string_view kPurpose = "mapflow payloads";
constexpr std::size_t kSaltBytes = 16, kCounterBytes = 8, kTagBytes = 16, kNonceBytes = 12;
/// Shorter texts are sealed as they are.
constexpr std::size_t kCompressFrom = 256;
constexpr unsigned char kCompressed = 1;
/// One for each time the store was opened somewhere; more are derived again when they come again.
constexpr std::size_t kMaxDerived = 10'000;

using Context = std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)>;

const unsigned char* bytes_of(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }
unsigned char* bytes_of(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

std::string random_salt() {
  std::string salt(kSaltBytes, '\0');
  ensure(RAND_bytes(bytes_of(salt), static_cast<int>(salt.size())) == 1, "the system gives random numbers");
  return salt;
}

SecretKey derive(const SecretKey& key, const std::string& salt) {
  const std::unique_ptr<EVP_KDF, decltype(&EVP_KDF_free)> kdf(EVP_KDF_fetch(nullptr, "HKDF", nullptr), EVP_KDF_free);
  const std::unique_ptr<EVP_KDF_CTX, decltype(&EVP_KDF_CTX_free)> context(EVP_KDF_CTX_new(kdf.get()), EVP_KDF_CTX_free);
  std::string digest = "SHA256", salt_bytes = salt, info(kPurpose);
  SecretKey secret = key, derived;
  const std::array parameters = {OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest.data(), 0),
                                 OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, secret.data(), SecretKey::kBytes),
                                 OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, salt_bytes.data(), salt_bytes.size()),
                                 OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info.data(), info.size()),
                                 OSSL_PARAM_construct_end()};
  ensure(context && EVP_KDF_derive(context.get(), derived.data(), SecretKey::kBytes, parameters.data()) == 1, "HKDF derives a key");
  return derived;
}

std::array<unsigned char, kNonceBytes> nonce_of(std::uint64_t counter) {
  std::array<unsigned char, kNonceBytes> nonce{};
  for (std::size_t at = 0; at < kCounterBytes; ++at) nonce[kNonceBytes - 1 - at] = static_cast<unsigned char>(counter >> 8 * at);
  return nonce;
}

/// What is in front of the ciphertext.
struct Header {
  unsigned char flags = 0;
  std::string key;
  std::string salt;
  std::uint64_t counter = 0;
};

std::string write(const Header& header) {
  std::string out(kMagic);
  out += static_cast<char>(header.flags);
  out += static_cast<char>(header.key.size());
  out += header.key;
  out += header.salt;
  const auto nonce = nonce_of(header.counter);
  out.append(nonce.end() - kCounterBytes, nonce.end());
  return out;
}

std::unexpected<Error> damaged(std::string_view how) { return fail(code::corrupt, fmt::format("a stored text {}", how)); }

/// Takes it off the front of `sealed`.
Result<Header> read_header(std::string_view& sealed) {
  if (!is_sealed(sealed))
    return fail(code::corrupt, "a stored text is not encrypted, though the store is said to be",
                "what was stored without encryption is exported without it, and imported into a new store");
  std::string_view rest = sealed.substr(kMagic.size());
  if (rest.size() < 2) return damaged("is cut short");
  Header header;
  header.flags = static_cast<unsigned char>(rest[0]);
  const std::size_t name = static_cast<unsigned char>(rest[1]);
  rest.remove_prefix(2);
  if (rest.size() < name + kSaltBytes + kCounterBytes + kTagBytes) return damaged("is cut short");
  header.key = rest.substr(0, name);
  header.salt = rest.substr(name, kSaltBytes);
  for (const char byte : rest.substr(name + kSaltBytes, kCounterBytes)) header.counter = header.counter << 8 | static_cast<unsigned char>(byte);
  if (header.flags > kCompressed || !Keyring::fits(header.key)) return damaged("does not begin as it must");
  sealed = rest.substr(name + kSaltBytes + kCounterBytes);
  return header;
}

/// Both directions tell the cipher the same before the text.
bool begin(EVP_CIPHER_CTX* context, bool encrypts, const SecretKey& key, std::uint64_t counter, std::string_view header, std::string_view place) {
  int ignored = 0;
  const auto nonce = nonce_of(counter);
  const auto add = [&](std::string_view data) {
    return EVP_CipherUpdate(context, nullptr, &ignored, bytes_of(data), static_cast<int>(data.size())) == 1;
  };
  return EVP_CipherInit_ex(context, EVP_aes_256_gcm(), nullptr, key.data(), nonce.data(), encrypts ? 1 : 0) == 1 && add(header) && add(place);
}

}  // namespace

bool is_sealed(std::string_view bytes) { return bytes.starts_with(kMagic); }

Sealer::Sealer(Keyring keys) : keys_(std::move(keys)), salt_(random_salt()), own_(derive(*keys_.find(keys_.newest()), salt_)) {}

std::string Sealer::seal(std::string_view place, std::string_view bytes) {
  Header header{.key = keys_.newest(), .salt = salt_, .counter = ++counter_};
  ensure(header.counter != UINT64_MAX && bytes.size() <= INT_MAX, "a text can be sealed");
  std::string smaller = bytes.size() >= kCompressFrom ? Compressor().compress(bytes) : std::string();
  if (!smaller.empty() && smaller.size() < bytes.size()) {
    header.flags = kCompressed;
    bytes = smaller;
  }
  std::string sealed = write(header);
  const std::size_t begins = sealed.size();
  const Context context(EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free);
  bool good = context && begin(context.get(), true, own_, header.counter, sealed, place);
  sealed.resize(begins + bytes.size() + kTagBytes);
  int written = 0, last = 0;
  good = good && EVP_CipherUpdate(context.get(), bytes_of(sealed) + begins, &written, bytes_of(bytes), static_cast<int>(bytes.size())) == 1 &&
         EVP_CipherFinal_ex(context.get(), bytes_of(sealed) + begins + written, &last) == 1 &&
         EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, kTagBytes, bytes_of(sealed) + begins + bytes.size()) == 1;
  ensure(good, "AES-256-GCM encrypts");
  return sealed;
}

Result<Unsealed> Sealer::open(std::string_view place, std::string_view sealed) {
  std::string_view rest = sealed;
  MAPFLOW_ASSIGN(Header header, read_header(rest));
  const std::string_view head = sealed.substr(0, sealed.size() - rest.size());
  MAPFLOW_ASSIGN(const SecretKey key, key_of(header.key, header.salt));
  if (rest.size() > INT_MAX) return damaged("is too long");
  std::string tag(rest.substr(rest.size() - kTagBytes));
  rest.remove_suffix(kTagBytes);
  std::string bytes(rest.size(), '\0');
  const Context context(EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free);
  int written = 0, last = 0;
  std::array<unsigned char, kTagBytes> behind{};  // nothing is written there
  const bool good = context && begin(context.get(), false, key, header.counter, head, place) &&
                    EVP_CipherUpdate(context.get(), bytes_of(bytes), &written, bytes_of(rest), static_cast<int>(rest.size())) == 1 &&
                    EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_TAG, kTagBytes, tag.data()) == 1 &&
                    EVP_CipherFinal_ex(context.get(), behind.data(), &last) == 1;
  if (!good)
    return fail(code::corrupt, fmt::format("a stored text does not decrypt: it was damaged or moved, or the key '{}' is another one than it was", header.key));
  if (header.flags == kCompressed) {
    MAPFLOW_ASSIGN(bytes, decompress(bytes));
  }
  return Unsealed{std::move(bytes), {std::move(header.salt), header.counter}};
}

Result<SecretKey> Sealer::key_of(const std::string& name, const std::string& salt) {
  const SecretKey* const key = keys_.find(name);
  if (!key)
    return fail(code::invalid_state, fmt::format("{} has no key '{}', under which something in the store was encrypted", keys_.where(), name),
                "add that key, before the last line");
  const std::lock_guard lock(mutex_);
  const auto found = derived_.find({name, salt});
  if (found != derived_.end()) return found->second;
  if (derived_.size() >= kMaxDerived) derived_.clear();
  return derived_.emplace(std::pair(name, salt), derive(*key, salt)).first->second;
}

}  // namespace mapflow::persistence
