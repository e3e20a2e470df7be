#include "cli/secrets.h"

#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <optional>

#include "cli/files.h"

namespace mapflow::cli {

namespace {

constexpr std::string_view kPrefix = "MAPFLOW_SECRET_";

std::string secret_name(std::string_view variable) {
  if (variable.starts_with(kPrefix)) variable.remove_prefix(kPrefix.size());
  std::string name(variable);
  std::ranges::transform(name, name.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return name;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r')) text.remove_suffix(1);
  return text;
}

bool is_name(std::string_view text) {
  const auto fits = [](unsigned char c) { return std::isalnum(c) || c == '_'; };
  return !text.empty() && !std::isdigit(static_cast<unsigned char>(text.front())) && std::ranges::all_of(text, fits);
}

/// The text between the quotes that `text` begins with; only a comment may follow. nullopt: it does not end well.
std::optional<std::string> unquoted(std::string_view text) {
  const char quote = text.front();
  std::string value;
  std::size_t i = 1;
  for (; i < text.size() && text[i] != quote; ++i) {
    if (quote == '"' && text[i] == '\\' && i + 1 < text.size()) {
      const char next = text[++i];
      value += next == 'n' ? '\n' : next == 't' ? '\t' : next == 'r' ? '\r' : next;
    } else {
      value += text[i];
    }
  }
  if (i >= text.size()) return std::nullopt;
  const std::string_view rest = trimmed(text.substr(i + 1));
  if (!rest.empty() && rest.front() != '#') return std::nullopt;
  return value;
}

std::optional<std::string> read_value(std::string_view text) {
  if (!text.empty() && (text.front() == '"' || text.front() == '\'')) return unquoted(text);
  if (const std::size_t comment = text.find(" #"); comment != std::string_view::npos) text = trimmed(text.substr(0, comment));
  return std::string(text);
}

}  // namespace

Result<Secrets> parse_secrets(std::string_view text, const std::string& file) {
  Secrets secrets;
  for (std::uint32_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = trimmed(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty() || line.front() == '#') continue;
    if (line.starts_with("export ")) line = trimmed(line.substr(7));
    const std::size_t equals = line.find('=');
    const std::string_view name = trimmed(line.substr(0, equals));
    const auto value = equals == std::string_view::npos ? std::nullopt : read_value(trimmed(line.substr(equals + 1)));
    if (!is_name(name) || !value) {
      // The line itself is not shown: it may hold a secret.
      Error error(code::invalid_input, "this line is not NAME=VALUE");
      error.where = {file, number, 1};
      return fail(std::move(error));
    }
    secrets[secret_name(name)] = *value;
  }
  return secrets;
}

Result<Secrets> load_secrets(const std::string& path) {
  Secrets secrets;
  if (!path.empty()) {
    MAPFLOW_ASSIGN(const std::string text, read_text(path));
    MAPFLOW_ASSIGN(secrets, parse_secrets(text, path));
  }
  for (char** entry = environ; entry && *entry; ++entry) {
    const std::string_view variable(*entry);
    const std::size_t equals = variable.find('=');
    if (!variable.starts_with(kPrefix) || equals == std::string_view::npos || equals == kPrefix.size()) continue;
    secrets.emplace(secret_name(variable.substr(0, equals)), variable.substr(equals + 1));
  }
  return secrets;
}

}  // namespace mapflow::cli
