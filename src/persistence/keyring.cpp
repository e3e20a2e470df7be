#include "persistence/keyring.h"

#include <fmt/format.h>
#include <openssl/crypto.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <utility>

namespace mapflow::persistence {
namespace {

constexpr std::size_t kMostBytes = 64u << 10;
constexpr std::size_t kMostName = 32;

std::optional<unsigned> digit(char letter) {
  if (letter >= '0' && letter <= '9') return static_cast<unsigned>(letter - '0');
  if (letter >= 'a' && letter <= 'f') return static_cast<unsigned>(letter - 'a' + 10);
  if (letter >= 'A' && letter <= 'F') return static_cast<unsigned>(letter - 'A' + 10);
  return std::nullopt;
}

std::optional<SecretKey> read_key(std::string_view digits) {
  SecretKey key;
  if (digits.size() != 2 * SecretKey::kBytes) return std::nullopt;
  for (std::size_t at = 0; at < SecretKey::kBytes; ++at) {
    const auto high = digit(digits[2 * at]), low = digit(digits[2 * at + 1]);
    if (!high || !low) return std::nullopt;
    key.data()[at] = static_cast<unsigned char>(*high << 4 | *low);
  }
  return key;
}

std::string_view next_word(std::string_view& line) {
  constexpr std::string_view kBlank = " \t\r";
  line.remove_prefix(std::min(line.find_first_not_of(kBlank), line.size()));
  const std::string_view word = line.substr(0, line.find_first_of(kBlank));
  line.remove_prefix(word.size());
  return word;
}

/// A text with keys in it, which is wiped in the end.
struct Wiped {
  std::string text;
  ~Wiped() { OPENSSL_cleanse(text.data(), text.size()); }
};

}  // namespace

SecretKey::~SecretKey() { OPENSSL_cleanse(bytes_.data(), bytes_.size()); }

bool Keyring::fits(std::string_view name) {
  return !name.empty() && name.size() <= kMostName &&
         std::ranges::all_of(name, [](unsigned char letter) { return std::isalnum(letter) || letter == '_' || letter == '.' || letter == '-'; });
}

const SecretKey* Keyring::find(std::string_view name) const {
  const auto found = std::ranges::find(keys_, name, &Named::name);
  return found == keys_.end() ? nullptr : &found->key;
}

Result<Keyring> Keyring::parse(std::string_view text, const std::string& where) {
  Keyring ring;
  ring.where_ = where;
  for (std::uint32_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find_first_of("\n,"), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const std::string_view name = next_word(line);
    if (name.empty() || name.front() == '#') continue;
    const auto wrong = [&](std::string_view what) {
      return fail(code::invalid_input, fmt::format("{}: key {}: {}", where, number, what),
                  "a line is a name and 64 hexadecimal digits, as `openssl rand -hex 32` prints them");
    };
    if (!fits(name)) return wrong("its name is not of 1 to 32 letters, digits, and any of _.-");
    if (ring.find(name)) return wrong("its name is there twice");
    const auto key = read_key(next_word(line));
    if (!key || !next_word(line).empty()) return wrong("it is not 64 hexadecimal digits behind a name");
    ring.keys_.push_back({std::string(name), *key});
  }
  if (ring.keys_.empty()) return fail(code::invalid_input, fmt::format("{}: there is no key", where), "write a name and 64 hexadecimal digits on a line");
  return ring;
}

Result<Keyring> Keyring::load(std::string_view source) {
  constexpr std::string_view kEnvironment = "env=";
  if (source.starts_with(kEnvironment)) {
    const std::string name(source.substr(kEnvironment.size()));
    const char* const value = std::getenv(name.c_str());
    if (!value) return fail(code::invalid_input, fmt::format("the environment has no '{}', which is to hold the keys of the store", name));
    return parse(value, "the variable " + name);
  }
  const std::string file(source);
  std::ifstream in(file, std::ios::binary);
  if (!in) return fail(code::unavailable, fmt::format("the keys of the store, '{}', cannot be read", file), "check the path and its permissions");
  Wiped wiped{std::string(kMostBytes + 1, '\0')};
  in.read(wiped.text.data(), static_cast<std::streamsize>(wiped.text.size()));
  const auto size = static_cast<std::size_t>(in.gcount());
  if (size > kMostBytes) return fail(code::invalid_input, fmt::format("{}: more than {} bytes", file, kMostBytes));
  return parse(std::string_view(wiped.text).substr(0, size), file);
}

}  // namespace mapflow::persistence
