// The help texts of the command line.
#pragma once

#include <CLI/CLI.hpp>

#include <string>
#include <vector>

namespace mapflow::cli {

/// Help that says what people type: "--store URL", not the library's "--store TEXT=…".
class HelpFormat final : public CLI::Formatter {
 public:
  HelpFormat() { column_width(26); }

  std::string make_usage(const CLI::App* app, std::string) const override {
    std::string usage = "usage: mapflow";
    if (const CLI::App* parent = app->get_parent()) {
      if (parent->get_parent()) usage += " " + parent->get_name();
      usage += " " + app->get_name();
    }
    if (!app->get_subcommands({}).empty()) return usage + (app->get_parent() ? " WHAT …\n" : " VERB …\n");
    for (const CLI::Option* option : app->get_options([](const CLI::Option* each) { return each->get_positional(); })) {
      usage += " " + option->get_name(true);
      if (option->get_expected_max() > 1) usage += "…";
    }
    return usage + " [options]\n";
  }
  std::string make_help(const CLI::App* app, std::string, CLI::AppFormatMode mode) const override {
    return make_usage(app, "") + "\n" + app->get_description() + "\n" + make_positionals(app) + make_groups(app, mode) +
           make_subcommands(app, mode) + make_footer(app);
  }
  std::string make_option_opts(const CLI::Option* option) const override {
    return option->get_option_text().empty() ? "" : " " + option->get_option_text();
  }
  std::string make_group(std::string group, bool positional, std::vector<const CLI::Option*> options) const override {
    std::string text = "\n" + std::string(positional ? "arguments" : group == "Options" ? "options" : group) + ":\n";
    for (const CLI::Option* option : options) text += make_option(option, positional);
    return text;
  }
  std::string make_footer(const CLI::App* app) const override {
    return app->get_footer().empty() ? "" : app->get_footer() + "\n";
  }
};

}  // namespace mapflow::cli
