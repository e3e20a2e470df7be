// URLs of stores that are servers: scheme://user:password@host:port,host:port/path?option=value&…
//
// A URL may hold a password, so no error of this file repeats a part that could be one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"

namespace mapflow::persistence {

struct StoreUrl {
  struct Host {
    std::string name;        ///< without the brackets of an IPv6 address
    std::uint16_t port = 0;  ///< 0: not said
  };

  std::string scheme;
  std::string user;
  std::optional<std::string> password;
  std::vector<Host> hosts;   ///< empty: not said
  std::string path;          ///< without the leading '/'
  std::vector<std::pair<std::string, std::string>> options;

  /// Takes an option out, so that what is left at the end is what nobody knew. The last one of a name counts.
  std::optional<std::string> take(std::string_view option);
  /// The URL without password and options, as people know the store.
  std::string without_secrets() const;
};

/// `rest` is what follows "scheme:". Texts come back percent-decoded. Errors: invalid_input.
Result<StoreUrl> parse_store_url(std::string_view scheme, std::string_view rest);

/// The URL of any store as it may be shown: every password in it left out. It opens the same store where the password
/// comes from elsewhere.
std::string without_password(std::string_view url);

/// Whether an option says yes: true, yes, on, 1 or the opposite. Errors: invalid_input.
Result<bool> parse_switch(std::string_view option, std::string_view text);
/// A number within bounds. Errors: invalid_input.
Result<std::uint32_t> parse_count(std::string_view option, std::string_view text, std::uint32_t least, std::uint32_t most);

}  // namespace mapflow::persistence
