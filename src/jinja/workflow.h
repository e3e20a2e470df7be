// The template language as workflows use it: one set of options, and what counts as a template in a definition.
//
// Readers, validators and the kernel must agree on these, or a definition that was found sound would fail when it runs.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "jinja/jinja.h"

namespace mapflow::jinja {

/// Marks the text that stands for a secret until the dispatcher replaces it; an interlinear annotation character, so
/// that no honest text contains it by accident.
inline constexpr std::string_view kSecretMarker = "\xEF\xBF\xB9";  // U+FFF9
/// The text that stands for secret `name`: marker, name, marker.
std::string secret_token(std::string_view name);

/// The options of every template in a workflow: strict, data-first, secrets opaque.
Options workflow_options();
/// Those options with the workflow filters. `undefined`: lenient only where people try templates out.
Environment workflow_environment(Undefined undefined = Undefined::strict);

/// Whether a text holds Jinja2: `{{`, `{%` or `{#`.
bool has_template(std::string_view text);

/// The inside of a text that is exactly one `{{ … }}`, trimmed; any other text, trimmed. `skipped` gets how many bytes
/// were taken off in front.
std::string_view bare_expression(std::string_view text, std::size_t& skipped);

}  // namespace mapflow::jinja
