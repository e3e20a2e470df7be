#include "jinja/workflow.h"

namespace mapflow::jinja {

std::string secret_token(std::string_view name) {
  std::string token(kSecretMarker);
  token += name;
  token += kSecretMarker;
  return token;
}

Options workflow_options() {
  Options options;
  options.undefined = Undefined::strict;
  options.lookup = Lookup::data_first;
  options.keep_trailing_newline = true;
  options.extension_do = true;
  options.extension_loop_controls = true;
  options.opaque_marker = kSecretMarker;
  return options;
}

Environment workflow_environment(Undefined undefined) {
  Options options = workflow_options();
  options.undefined = undefined;
  Environment environment(std::move(options));
  add_workflow_filters(environment);
  return environment;
}

bool has_template(std::string_view text) {
  for (auto at = text.find('{'); at != std::string_view::npos && at + 1 < text.size(); at = text.find('{', at + 1))
    if (text[at + 1] == '{' || text[at + 1] == '%' || text[at + 1] == '#') return true;
  return false;
}

std::string_view bare_expression(std::string_view text, std::size_t& skipped) {
  skipped = 0;
  const auto trim = [&](std::string_view part) {
    const auto first = part.find_first_not_of(" \t\r\n");
    if (first == std::string_view::npos) return std::string_view();
    skipped += first;
    return part.substr(first, part.find_last_not_of(" \t\r\n") - first + 1);
  };
  const std::string_view whole = trim(text);
  if (!whole.starts_with("{{") || !whole.ends_with("}}") || whole.size() < 4) return whole;
  std::string_view inner = whole.substr(2, whole.size() - 4);
  if (inner.find("{{") != std::string_view::npos || inner.find("}}") != std::string_view::npos) return whole;
  skipped += 2;
  if (inner.starts_with('-') || inner.starts_with('+')) {  // {{- x -}}: whitespace control means nothing here
    inner.remove_prefix(1);
    ++skipped;
  }
  if (inner.ends_with('-') || inner.ends_with('+')) inner.remove_suffix(1);
  return trim(inner);
}

}  // namespace mapflow::jinja
