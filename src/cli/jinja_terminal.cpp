// The REPL on a terminal: the only place that knows the line editing library.
#include <histedit.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <memory>

#include "cli/jinja_repl.h"
#include "cli/template_error.h"
#include "cli/text.h"

namespace mapflow::cli {

namespace {

constexpr int kHistoryLines = 1000;

struct EditLineEnd { void operator()(EditLine* editor) const { el_end(editor); } };
struct HistoryEnd { void operator()(History* lines) const { history_end(lines); } };

/// ~/.local/state/mapflow/jinja_history, made when missing; "" where there is no home.
std::string history_file() {
  const char* state = std::getenv("XDG_STATE_HOME");
  const char* home = std::getenv("HOME");
  if (!(state && *state) && !(home && *home)) return {};
  const std::filesystem::path folder = (state && *state ? std::filesystem::path(state) : std::filesystem::path(home) / ".local/state") / "mapflow";
  std::error_code failed;
  std::filesystem::create_directories(folder, failed);
  return failed ? std::string() : (folder / "jinja_history").string();
}

char* prompt(EditLine*) {
  static char text[] = ">>> ";
  return text;
}

/// Names in rows no wider than the terminal, none broken in two.
std::string in_rows(const std::vector<std::string>& names, std::size_t columns) {
  std::string text;
  std::size_t used = 0;
  for (const std::string& name : names) {
    const std::string shown = printable(name);
    const std::size_t width = display_width(shown);
    const bool fits = used == 0 || used + 2 + width < columns;
    if (!text.empty()) text += fits ? "  " : "\n";
    used = (fits && used > 0 ? used + 2 : 0) + width;
    text += shown;
  }
  return text;
}

struct Session {
  const JinjaRepl& repl;
  Console& console;
};

/// Bound to Tab: completes as far as the candidates agree, and lists them when that is no step further.
unsigned char complete(EditLine* editor, int) {
  Session* session = nullptr;
  el_get(editor, EL_CLIENTDATA, &session);
  const LineInfo* info = el_line(editor);
  const std::string_view line(info->buffer, static_cast<std::size_t>(info->cursor - info->buffer));
  const std::vector<std::string> candidates = session->repl.completions(line);
  if (candidates.empty()) return CC_REFRESH_BEEP;
  std::string common = candidates.front();
  for (const std::string& each : candidates)
    common.resize(static_cast<std::size_t>(std::ranges::mismatch(common, each).in1 - common.begin()));
  std::size_t typed = std::min(common.size(), line.size());
  while (!line.ends_with(std::string_view(common).substr(0, typed))) --typed;
  if (typed < common.size()) {
    el_insertstr(editor, common.c_str() + typed);
    return CC_REFRESH;
  }
  if (candidates.size() == 1) return CC_REFRESH_BEEP;
  session->console.out.line("\n" + in_rows(candidates, session->console.out.columns()));
  return CC_REDISPLAY;
}

}  // namespace

ExitCode JinjaRepl::run_interactively(Console& console) {
  const std::unique_ptr<EditLine, EditLineEnd> editor(el_init("mapflow", stdin, stdout, stderr));
  const std::unique_ptr<History, HistoryEnd> lines(history_init());
  if (!editor || !lines) return run_script(console);
  HistEvent event{};
  history(lines.get(), &event, H_SETSIZE, kHistoryLines);
  history(lines.get(), &event, H_SETUNIQUE, 1);
  const std::string file = history_file();
  if (!file.empty()) history(lines.get(), &event, H_LOAD, file.c_str());
  Session session{*this, console};
  el_set(editor.get(), EL_CLIENTDATA, &session);
  el_set(editor.get(), EL_PROMPT, prompt);
  el_set(editor.get(), EL_EDITOR, "emacs");
  el_set(editor.get(), EL_HIST, history, lines.get());
  el_set(editor.get(), EL_ADDFN, "mapflow-complete", "complete a name", complete);
  el_set(editor.get(), EL_BIND, "^I", "mapflow-complete", nullptr);
  el_set(editor.get(), EL_SIGNAL, 1);
  el_source(editor.get(), nullptr);  // the person's ~/.editrc

  console.out.line("Jinja2 over JSON. :help says more, Ctrl-D ends.");
  int length = 0;
  while (const char* got = el_gets(editor.get(), &length)) {
    const std::string line(got, static_cast<std::size_t>(std::max(length, 0)));
    if (line.find_first_not_of(" \t\n") == std::string::npos) continue;
    history(lines.get(), &event, H_ENTER, line.c_str());
    if (line.starts_with(":quit")) return ExitCode::success;
    const auto text = answer(line);
    if (!text) {
      print_template_error(console, text.error(), false);
    } else if (!text->empty()) {
      console.out.line(printable_lines(*text));
    }
    if (!file.empty()) history(lines.get(), &event, H_SAVE, file.c_str());
  }
  console.out.line();
  return ExitCode::success;
}

}  // namespace mapflow::cli
