// Edits on the text rather than printing the tree: what nobody asked to change (comments, anchors, order, quotes) stays.
#include "builder/formatter.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "builder/printer.h"
#include "builder/reading.h"
#include "builder/render.h"
#include "builder/utf8.h"
#include "builder/yaml_text.h"
#include "jinja/workflow.h"

namespace mapflow::builder {

namespace {

/// One change: the bytes from `begin` to `end` become `text`.
struct Edit {
  std::size_t begin = 0;
  std::size_t end = 0;
  std::string text;
};

std::string edited(std::string_view text, std::vector<Edit> edits) {
  std::ranges::stable_sort(edits, {}, &Edit::begin);
  std::string out;
  std::size_t at = 0;
  for (const Edit& edit : edits) {
    if (edit.begin < at) continue;  // lies in what another one replaced; the next round sees to it
    out += text.substr(at, edit.begin - at);
    out += edit.text;
    at = edit.end;
  }
  return out += text.substr(at);
}

/// What one round finds to change in one document.
class Round {
 public:
  Round(std::string_view text, Document& document, const KindCatalog& kinds, std::vector<Edit>& edits)
      : text_(text), document_(document), kinds_(kinds), edits_(edits), reading_(document, kinds, ignored_) {}

  void run() {
    const Node root = document_.root();
    if (!root.is_map()) return;
    const std::vector<Member> before = members_of(root);
    translate_workflow(reading_, root);
    tell_changes(root, before);
    for (const Node member : root.children())
      if (member.key() == "steps" || member.key() == "compensation_steps") block(member);
  }

 private:
  /// A member as it was before translation.
  struct Member {
    Node node;
    std::string key;
  };

  static std::vector<Member> members_of(Node map) {
    std::vector<Member> members;
    for (const Node each : map.children()) members.push_back({each, std::string(each.key())});
    return members;
  }

  // --- where things are in the text ---

  bool quoted(Span span) const {
    return span.begin > 0 && span.end < text_.size() && (text_[span.begin - 1] == '"' || text_[span.begin - 1] == '\'') &&
           text_[span.end] == text_[span.begin - 1];
  }
  Span with_quotes(Span span) const { return quoted(span) ? Span{span.begin - 1, span.end + 1} : span; }
  bool is_flow(Span collection) const { return collection.begin < text_.size() && (text_[collection.begin] == '{' || text_[collection.begin] == '['); }
  std::size_t line_begin(std::size_t at) const {
    const auto newline = at == 0 ? std::string_view::npos : text_.rfind('\n', at - 1);
    return newline == std::string_view::npos ? 0 : newline + 1;
  }
  std::size_t line_end(std::size_t at) const { return std::min(text_.find('\n', at), text_.size()); }

  /// The end of a value's own last line: a block collection's span also has the comments behind it.
  std::size_t content_end(Node node) const {
    const Span span = node.span();
    if (node.is_scalar() && node.layout() == TextLayout::in_line) return with_quotes(span).end;
    if (!node.is_scalar() && is_flow(span)) return span.end;
    std::size_t end = std::min(span.end, text_.size());
    while (end > span.begin) {
      const std::size_t begin = std::max(line_begin(end), span.begin);
      const std::string_view line = text_.substr(begin, end - begin);
      const auto first = line.find_first_not_of(" \t\r\n");
      if (first != std::string_view::npos && (node.is_scalar() || line[first] != '#')) return begin + line.find_last_not_of(" \t\r\n") + 1;
      end = begin > 0 ? begin - 1 : 0;
    }
    return span.begin;
  }

  // --- walking ---

  void block(Node steps) {
    if (steps.is_alias()) return;
    if (steps.is_map() && !steps.find("$places")) return wrap(steps);
    if (!steps.is_list()) return;
    for (const Node each : steps.children())
      if (each.is_map() && !each.is_alias()) step(each);
  }

  /// One step where a list belongs. What is in it is left to the next round.
  void wrap(Node step) {
    const Span span = step.span();
    if (span.empty() && !is_flow(span) && step.size() == 0) return;
    if (is_flow(span)) {
      edits_.push_back({span.begin, span.begin, "[ "});
      edits_.push_back({span.end, span.end, " ]"});
      return;
    }
    edits_.push_back({span.begin, span.begin, "- "});
    const std::size_t end = content_end(step);
    for (std::size_t line = line_end(span.begin) + 1; line < end; line = line_end(line) + 1)
      if (text_[line] != '\n' && text_[line] != '\r') edits_.push_back({line, line, "  "});
  }

  void step(Node step) {
    const std::vector<Member> before = members_of(step);
    translate_step(reading_, step);
    tell_changes(step, before);
    const Node type = step.find("type");
    const KindSchema* schema = type && type.is_text() ? kinds_.schema(type.text()) : nullptr;
    for (const Node member : step.children()) {
      if (member.key_span().empty() || member.is_alias()) continue;
      if (member.key() == "when") expression(member);
      else if (is_hook(member.key())) { if (!member.is_text()) block(member); }
      else if (const FieldSpec* field = schema ? schema->field(member.key()) : nullptr) this->field(*field, member);
    }
  }

  static bool is_hook(std::string_view key) { return key == "on_error" || key == "on_success" || key == "compensate" || key == "fallback"; }

  void field(const FieldSpec& field, Node node) {
    switch (field.type) {
      case FieldType::steps: return block(node);
      case FieldType::branches: return branches(node);
      case FieldType::cases: return cases(node);
      case FieldType::expression: return expression(node);
      case FieldType::items: return node.is_text() ? expression(node) : templates(node);
      case FieldType::expressions:
        if (!node.is_list()) return expression(node);
        for (const Node each : node.children()) expression(each);
        return;
      case FieldType::text:
      case FieldType::value:
      case FieldType::object:
      case FieldType::duration: return templates(node);
      default: return;
    }
  }

  void branches(Node node) {
    if (node.is_map()) return holds_a_step(node) ? wrap(node) : named_branches(node);
    for (const Node each : node.children()) {
      if (each.is_alias()) continue;
      if (each.is_list()) block(each);
      else if (each.is_map()) holds_a_step(each) ? step(each) : named_branches(each);
    }
  }

  static bool holds_a_step(Node node) {
    for (const Node member : node.children())
      if (member.is_scalar()) return true;
    return false;
  }

  void named_branches(Node node) {
    for (const Node each : node.children()) block(each);
  }

  void cases(Node node) {
    if (node.is_map()) return wrap(node);
    for (const Node each : node.children()) {
      if (!each.is_map() || each.is_alias()) continue;
      if (const Node when = each.find("when")) expression(when);
      if (const Node steps = each.find("steps")) block(steps);
    }
  }

  // --- texts ---

  void expression(Node node) {
    if (!node.is_text() || node.is_alias() || node.layout() != TextLayout::in_line || node.span().empty()) return;
    const std::string expanded = expand_shorthand(node.text(), TextMode::as_expression);
    std::size_t skipped = 0;
    replace_scalar(node, escape_shorthand(jinja::bare_expression(expanded, skipped)));
  }

  void templates(Node node) {
    if (node.is_alias()) return;
    for (const Node each : node.children()) templates(each);
    if (!node.is_text() || !has_shorthand(node.text())) return;
    const Span span = node.span();
    // A `$${` that was written to mean itself has to go on meaning itself.
    if (node.layout() == TextLayout::in_line) return replace_scalar(node, escape_shorthand(expand_shorthand(node.text(), TextMode::as_template)));
    if (node.layout() != TextLayout::lines) return;
    const std::string_view raw = text_.substr(span.begin, span.end - span.begin);
    if (std::string expanded = escape_shorthand(expand_shorthand(raw, TextMode::as_template)); expanded != raw) edits_.push_back({span.begin, span.end, std::move(expanded)});
  }

  void replace_scalar(Node node, std::string_view text) {
    if (text == node.text()) return;
    const Span span = with_quotes(node.span());
    // Braces that are not in a quoted text may be between brackets, where a plain text could not hold them.
    edits_.push_back({span.begin, span.end, yaml_scalar(text, true)});
  }

  // --- old spellings ---

  /// What the translation did to a map's members, as edits.
  void tell_changes(Node map, const std::vector<Member>& before) {
    std::vector<Node> removed, added;
    std::vector<Node> now;
    for (const Node each : map.children()) now.push_back(each);
    for (const Member& member : before) {
      const auto still = std::ranges::find(now, member.node);
      if (still == now.end()) removed.push_back(member.node);
      else if (still->key() != member.key) rename(*still);
    }
    for (const Node each : now)
      if (std::ranges::find(before, each, &Member::node) == before.end()) added.push_back(each);
    if (removed.empty()) return;
    const bool flow = is_flow(map.span());
    replace(removed.front(), added, flow);
    for (std::size_t i = 1; i < removed.size(); ++i) drop(removed[i], flow);
  }

  void rename(Node member) {
    const Span key = with_quotes(member.key_span());
    const std::string name(member.key());
    if (!key.empty()) edits_.push_back({key.begin, key.end, quoted(member.key_span()) ? '"' + name + '"' : name});
  }

  void replace(Node old, const std::vector<Node>& added, bool flow) {
    if (old.key_span().empty()) return;
    const Span key = with_quotes(old.key_span());
    const std::size_t end = old.is_alias() ? old.span().end : content_end(old);
    std::string text;
    if (flow) {
      for (const Node each : added) text += (text.empty() ? "" : ", ") + yaml_scalar(each.key(), true) + ": " + yaml_flow(each.to_value());
    } else {
      const std::size_t indent = key.begin - line_begin(key.begin);
      text = comments_in(key.begin, end, indent);
      for (const Node each : added) text += yaml_block(object({{Text(each.key()), each.to_value()}}), indent);
      if (!text.empty()) text = text.substr(indent, text.size() - indent - 1);  // it begins where the key does, and the line's end stays
    }
    edits_.push_back({key.begin, end, std::move(text)});
  }

  /// Comment lines of a part that is written anew, to stand above it.
  std::string comments_in(std::size_t begin, std::size_t end, std::size_t indent) const {
    std::string out;
    for (std::size_t line = line_end(begin) + 1; line < end; line = line_end(line) + 1) {
      const std::string_view whole = text_.substr(line, line_end(line) - line);
      const auto first = whole.find_first_not_of(" \t");
      if (first != std::string_view::npos && whole[first] == '#') out += std::string(indent, ' ') + std::string(whole.substr(first)) + '\n';
    }
    return out;
  }

  void drop(Node old, bool flow) {
    if (old.key_span().empty()) return;
    std::size_t begin = with_quotes(old.key_span()).begin, end = content_end(old);
    if (!flow) {
      const std::size_t indent = begin - line_begin(begin);
      std::string kept = comments_in(begin, end, indent);
      const std::string_view behind = text_.substr(end, line_end(end) - end);
      if (const auto comment = behind.find('#'); comment != std::string_view::npos) kept += std::string(indent, ' ') + std::string(behind.substr(comment)) + '\n';
      edits_.push_back({line_begin(begin), std::min(line_end(end) + 1, text_.size()), std::move(kept)});
      return;
    }
    const auto next = text_.find_first_not_of(" \t\r\n", end);
    if (next != std::string_view::npos && text_[next] == ',') end = text_.find_first_not_of(" \t\r\n", next + 1);
    else begin = text_.rfind(',', begin);
    edits_.push_back({begin, end, ""});
  }

  std::string_view text_;
  Document& document_;
  const KindCatalog& kinds_;
  std::vector<Edit>& edits_;
  Diagnostics ignored_;
  Reading reading_;
};

/// The lines that belong to a text over several lines, where blanks may count.
void collect_long_texts(Node node, std::vector<Span>& out) {
  if (node.is_alias()) return;
  if (node.is_text() && node.layout() != TextLayout::in_line) out.push_back(node.span());
  for (const Node each : node.children()) collect_long_texts(each, out);
}

void tidy_blanks(std::string_view text, const std::vector<Document>& documents, std::vector<Edit>& edits) {
  std::vector<Span> long_texts;
  for (const Document& document : documents) collect_long_texts(document.root(), long_texts);
  std::ranges::sort(long_texts, {}, &Span::begin);
  auto next = long_texts.begin();
  for (std::size_t line = 0; line < text.size();) {
    const std::size_t end = std::min(text.find('\n', line), text.size());
    while (next != long_texts.end() && next->end <= line) ++next;
    const bool in_text = next != long_texts.end() && next->begin < end;
    const auto last = text.substr(line, end - line).find_last_not_of(" \t\r");
    const std::size_t kept = line + (last == std::string_view::npos ? 0 : last + 1);
    if (!in_text && kept < end) edits.push_back({kept, end, ""});
    line = end + 1;
  }
  if (!text.empty() && text.back() != '\n') edits.push_back({text.size(), text.size(), "\n"});
}

/// What the text means: a hash for each of its definitions.
std::vector<std::string> meaning(std::string_view text, const std::string& file, const KindCatalog& kinds, Diagnostics& found) {
  std::vector<std::string> hashes;
  ParsedText parsed = parse_documents(text, file);
  std::ranges::move(parsed.diagnostics, std::back_inserter(found));
  for (Document& document : parsed.documents) {
    Reading reading(document, kinds, found);
    if (const auto definition = read_workflow(reading, document.root())) hashes.push_back(content_hash(*definition));
  }
  return hashes;
}

}  // namespace

FormatResult format_text(std::string_view text, const std::string& file, const KindCatalog& kinds) {
  text = without_byte_order_marks(text);
  FormatResult out{std::string(text), {}};
  const std::vector<std::string> before = meaning(text, file, kinds, out.diagnostics);
  if (has_errors(out.diagnostics)) return out;

  // Steps in steps are put into lists from the outside in, so there are as many rounds as levels at most.
  constexpr int kMostRounds = 150;
  std::string formatted(text);
  for (int round = 0; round < kMostRounds; ++round) {
    ParsedText parsed = parse_documents(formatted, file, {}, Spans::kept);
    std::vector<Edit> edits;
    for (Document& document : parsed.documents) Round(formatted, document, kinds, edits).run();
    if (edits.empty()) tidy_blanks(formatted, parsed.documents, edits);
    if (edits.empty()) break;
    formatted = edited(formatted, std::move(edits));
  }

  Diagnostics ignored;
  if (meaning(formatted, file, kinds, ignored) == before && !has_errors(ignored)) {
    out.text = std::move(formatted);
  } else {
    out.diagnostics.push_back({.severity = Severity::error,
                               .code = std::string(mf::cannot_format),
                               .where = {file, 1, 1},
                               .message = "this text cannot be formatted without changing what it means",
                               .hint = "write its old spellings anew by hand"});
  }
  return out;
}

}  // namespace mapflow::builder
