#include "cli/usage_error.h"

#include <algorithm>

#include "model/diagnostic.h"

namespace mapflow::cli {

namespace {

std::vector<std::string> verbs_of(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* verb : app.get_subcommands({})) names.push_back(verb->get_name());
  return names;
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

std::string full_name(const CLI::App* app) {
  return app->get_parent() ? full_name(app->get_parent()) + " " + app->get_name() : "mapflow";
}

UsageError unexpected_words(const CLI::App& root) {
  const CLI::App* app = &root;
  while (!app->get_subcommands().empty()) app = app->get_subcommands().front();
  const std::vector<std::string> words = root.remaining(true);
  const auto flagged = std::ranges::find_if(words, [](const std::string& word) { return word.starts_with("-"); });
  const std::string see = "see '" + full_name(app) + " --help'";
  if (flagged == words.end()) return {"unexpected argument '" + (words.empty() ? "" : words.front()) + "'", see};
  const std::string name = flagged->substr(0, flagged->find('='));
  std::vector<std::string> known;
  for (const CLI::Option* each : app->get_options()) {
    for (const std::string& text : each->get_lnames()) known.push_back("--" + text);
    for (const std::string& text : each->get_snames()) known.push_back("-" + text);
  }
  const std::string hint = did_you_mean(name, known);
  return {"'" + full_name(app) + "' has no option '" + name + "'", hint.empty() ? see : hint};
}

}  // namespace

std::optional<UsageError> unknown_verb(CLI::App& root, const std::vector<std::string>& words) {
  CLI::App* app = &root;
  for (const std::string& word : words) {
    const std::vector<CLI::App*> verbs = app->get_subcommands({});
    if (verbs.empty() || word.starts_with("-")) return std::nullopt;
    const auto found = std::ranges::find_if(verbs, [&](CLI::App* each) { return each->get_name() == word; });
    if (found == verbs.end()) {
      std::string hint = did_you_mean(word, verbs_of(*app));
      if (hint.empty()) hint = "known: " + joined(verbs_of(*app));
      return UsageError{"'" + full_name(app) + "' has no verb '" + word + "'", hint};
    }
    app = *found;
  }
  return std::nullopt;
}

UsageError usage_error(const CLI::App& root, const CLI::ParseError& error) {
  if (dynamic_cast<const CLI::ExtrasError*>(&error)) return unexpected_words(root);
  const CLI::App* app = &root;
  while (!app->get_subcommands().empty()) app = app->get_subcommands().front();
  const std::string see = "see '" + full_name(app) + " --help'";
  if (dynamic_cast<const CLI::RequiredError*>(&error) && !app->get_subcommands({}).empty())
    return {"'" + full_name(app) + "' needs one of: " + joined(verbs_of(*app)), see};
  return {error.what(), see};
}

}  // namespace mapflow::cli
