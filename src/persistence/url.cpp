#include "persistence/url.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace mapflow::persistence {
namespace {

std::unexpected<Error> refuse(std::string_view scheme, std::string_view what) {
  return fail(code::invalid_input, fmt::format("the URL of the {} store: {}", scheme, what),
              fmt::format("it has the form {}://user:password@host:port/name?option=value; write special characters of "
                          "a password as %XX", scheme));
}

std::optional<int> hex_digit(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
  return std::nullopt;
}

/// Nothing when a '%' is not followed by two digits, or stands for a zero byte.
std::optional<std::string> decode(std::string_view text) {
  std::string decoded;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '%') {
      decoded += text[at];
      continue;
    }
    if (at + 2 >= text.size()) return std::nullopt;
    const auto high = hex_digit(text[at + 1]), low = hex_digit(text[at + 2]);
    if (!high || !low || *high + *low == 0) return std::nullopt;
    decoded += static_cast<char>(*high * 16 + *low);
    at += 2;
  }
  return decoded;
}

/// The part before `mark`, which is taken off together with the mark; the whole text when there is none.
std::string_view take_until(std::string_view& text, char mark) {
  const std::string_view part = text.substr(0, text.find(mark));
  text.remove_prefix(std::min(text.size(), part.size() + 1));
  return part;
}

std::optional<StoreUrl::Host> parse_host(std::string_view text) {
  std::string_view name = text, port;
  if (text.starts_with('[')) {
    const std::size_t close = text.find(']');
    if (close == text.npos) return std::nullopt;
    name = text.substr(1, close - 1);
    port = text.substr(close + 1);
    if (!port.empty() && !port.starts_with(':')) return std::nullopt;
  } else if (const std::size_t colon = text.find(':'); colon != text.npos) {
    name = text.substr(0, colon);
    port = text.substr(colon);
  }
  const auto decoded = decode(name);
  if (!decoded) return std::nullopt;
  StoreUrl::Host host{*decoded, 0};
  if (port.empty()) return host;
  port.remove_prefix(1);
  const auto [end, problem] = std::from_chars(port.data(), port.data() + port.size(), host.port);
  if (problem != std::errc() || end != port.data() + port.size() || host.port == 0) return std::nullopt;
  return host;
}

}  // namespace

std::optional<std::string> StoreUrl::take(std::string_view option) {
  std::optional<std::string> value;
  std::erase_if(options, [&](auto& entry) {
    if (entry.first != option) return false;
    value = std::move(entry.second);
    return true;
  });
  return value;
}

std::string StoreUrl::without_secrets() const {
  std::string text = scheme + "://";
  if (!user.empty()) text += user + "@";
  for (std::size_t index = 0; index < hosts.size(); ++index) {
    const Host& host = hosts[index];
    if (index > 0) text += ',';
    text += host.name.find(':') == std::string::npos ? host.name : "[" + host.name + "]";
    if (host.port != 0) text += fmt::format(":{}", host.port);
  }
  if (!path.empty()) text += "/" + path;
  return text;
}

Result<StoreUrl> parse_store_url(std::string_view scheme, std::string_view rest) {
  if (!rest.starts_with("//")) return refuse(scheme, "'//' is missing behind the scheme");
  rest.remove_prefix(2);
  StoreUrl url;
  url.scheme = scheme;
  std::string_view place = take_until(rest, '?');
  while (!rest.empty()) {
    std::string_view value = take_until(rest, '&');
    const std::string_view name = take_until(value, '=');
    auto decoded_name = decode(name), decoded_value = decode(value);
    if (!decoded_name || !decoded_value || decoded_name->empty()) return refuse(scheme, "an option is not readable");
    url.options.emplace_back(*std::move(decoded_name), *std::move(decoded_value));
  }
  std::string_view authority = take_until(place, '/');
  auto path = decode(place);
  if (!path) return refuse(scheme, "the name behind the host is not readable");
  url.path = *std::move(path);
  if (const std::size_t at = authority.rfind('@'); at != authority.npos) {
    std::string_view password = authority.substr(0, at);
    authority.remove_prefix(at + 1);
    const bool given = password.find(':') != password.npos;
    auto user = decode(take_until(password, ':')), decoded = decode(password);
    if (!user || !decoded) return refuse(scheme, "user or password is not readable");
    url.user = *std::move(user);
    if (given) url.password = std::move(decoded);
  }
  while (!authority.empty()) {
    auto host = parse_host(take_until(authority, ','));
    if (!host) return refuse(scheme, "a host or its port is not readable");
    url.hosts.push_back(*std::move(host));
  }
  return url;
}

std::string without_password(std::string_view url) {
  std::string text(url);
  const std::size_t begin = text.find("://");
  if (begin == text.npos) return text;
  // The last '@', so that a password with an '@' that should have been written %40 is left out as well.
  const std::size_t colon = text.find(':', begin + 3), at = text.rfind('@');
  if (colon != text.npos && at != text.npos && colon < at) text.erase(colon, at - colon);
  for (std::size_t option = text.find("password="); option != text.npos; option = text.find("password=", option + 9)) {
    const std::size_t value = option + 9;
    text.erase(value, std::min(text.find('&', value), text.size()) - value);
  }
  return text;
}

Result<bool> parse_switch(std::string_view option, std::string_view text) {
  if (text == "true" || text == "yes" || text == "on" || text == "1") return true;
  if (text == "false" || text == "no" || text == "off" || text == "0") return false;
  return fail(code::invalid_input, fmt::format("option '{}' of the store is true or false, not '{}'", option, text));
}

Result<std::uint32_t> parse_count(std::string_view option, std::string_view text, std::uint32_t least, std::uint32_t most) {
  std::uint32_t number = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (problem != std::errc() || end != text.data() + text.size() || number < least || number > most)
    return fail(code::invalid_input,
                fmt::format("option '{}' of the store is a number from {} to {}, not '{}'", option, least, most, text));
  return number;
}

}  // namespace mapflow::persistence
