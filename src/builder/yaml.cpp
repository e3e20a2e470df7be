// Text to Document, event by event, so that no limit is passed before it is noticed.
#include <libfyaml.h>

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <unordered_map>
#include <unordered_set>

#include "builder/codes.h"
#include "builder/document.h"
#include "builder/utf8.h"
#include "builder/yaml_wording.h"

namespace mapflow::builder {

namespace {

constexpr std::size_t kMostDiagnostics = 100;

struct ParserDeleter {
  void operator()(fy_parser* parser) const { fy_parser_destroy(parser); }
};
struct DiagDeleter {
  void operator()(fy_diag* diag) const { fy_diag_destroy(diag); }
};

std::string_view token_text(fy_token* token) {
  std::size_t size = 0;
  const char* text = token ? fy_token_get_text(token, &size) : nullptr;
  return text ? std::string_view(text, size) : std::string_view();
}

constexpr std::string_view kQuoteTemplates = "a text that begins with {{ needs quotes: \"{{ … }}\"";

/// An event that gives itself back to the parser.
class Event {
 public:
  explicit Event(fy_parser* parser) : parser_(parser), event_(fy_parser_parse(parser)) {}
  ~Event() { if (event_) fy_parser_event_free(parser_, event_); }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  explicit operator bool() const { return event_ != nullptr; }
  fy_event* operator->() const { return event_; }
  fy_event* get() const { return event_; }

 private:
  fy_parser* parser_;
  fy_event* event_;
};

}  // namespace

/// Takes the events of one text and builds its documents.
class DocumentParser {
 public:
  DocumentParser(std::string_view text, const std::string& file, const DocumentLimits& limits, Spans spans)
      : text_(text), file_(file), limits_(limits), keep_spans_(spans == Spans::kept) {}

  ParsedText run();

 private:
  struct Frame {
    std::uint32_t entry = 0;
    bool is_map = false;
    bool has_key = false;
    bool drop = false;             // the value that follows belongs to a key that was refused
    std::string anchor;
    Text key;
    Mark key_at;
    Span key_span;
    std::vector<std::pair<Mark, std::uint32_t>> merges;
    std::vector<Text> keys;        // searched in order while few, through `index` when many
    std::unordered_set<std::string_view> index;
  };

  bool text_is_sound();
  void take(const fy_event* event, fy_event* raw);
  void start(fy_event* event, NodeType type);
  void finish(fy_event* event);
  void take_scalar(fy_event* event);
  void take_alias(fy_event* event);
  bool take_key(std::string_view key, bool plain, Mark at);
  void place(std::uint32_t entry, Mark at);
  void merge(Frame& frame);
  void merge_map(Frame& frame, Mark at, std::uint32_t source);
  bool remember_key(Frame& frame, const Text& key);
  Value tagged_scalar(fy_event* event, std::string_view text, Mark at, bool& plain);
  void finish_document();
  void library_errors(fy_diag* diag);
  static Span span_of(fy_event* event);
  void note_span(std::uint32_t entry, fy_event* event);
  Mark mark_of(fy_event* event);
  Mark block_start(Mark at, std::size_t position) const;
  void report(std::string_view code, Mark at, std::string message, std::string hint = {});
  bool within_limits();
  bool stopped() const { return stopped_; }

  std::string_view text_;
  const std::string& file_;
  DocumentLimits limits_;
  bool keep_spans_;
  ParsedText out_;
  Document document_;
  std::vector<Frame> frames_;
  std::unordered_map<std::string, std::uint32_t> anchors_;
  std::size_t nodes_ = 0;
  std::size_t skip_ = 0;          // depth inside a key that is a collection: its events are passed over
  Mark last_{1, 1};
  bool stopped_ = false;
};

ParsedText DocumentParser::run() {
  text_ = without_byte_order_marks(text_);
  if (!text_is_sound()) return std::move(out_);

  fy_diag_cfg diag_settings{};
  fy_diag_cfg_default(&diag_settings);
  diag_settings.fp = nullptr;
  diag_settings.output_fn = [](fy_diag*, void*, const char*, std::size_t) {};
  const std::unique_ptr<fy_diag, DiagDeleter> diag(fy_diag_create(&diag_settings));
  fy_diag_set_collect_errors(diag.get(), true);
  fy_parse_cfg settings{};
  // Depth is bounded here, with a better message than the library's.
  settings.flags = static_cast<fy_parse_cfg_flags>(FYPCF_QUIET | FYPCF_COLLECT_DIAG | FYPCF_DISABLE_DEPTH_LIMIT |
                                                   FYPCF_JSON_NONE | FYPCF_DEFAULT_VERSION_1_2);
  settings.diag = diag.get();
  const std::unique_ptr<fy_parser, ParserDeleter> parser(fy_parser_create(&settings));
  if (!parser || fy_parser_set_string(parser.get(), text_.data(), text_.size()) != 0) {
    report(mf::syntax, {}, "the YAML parser cannot be started");
    return std::move(out_);
  }

  bool complete = false;
  while (!stopped() && !complete) {
    const Event event(parser.get());
    if (!event) break;
    if (event->type == FYET_STREAM_END) {
      const fy_mark* end = fy_event_start_mark(event.get());
      // The library ends quietly at characters that it does not know.
      complete = !end || text_.find_first_not_of(" \t\r\n", end->input_pos) == std::string_view::npos;
      if (!complete) break;
    }
    take(event.get(), event.get());
  }
  if (!complete && !stopped()) {
    library_errors(diag.get());
    if (!has_errors(out_.diagnostics)) report(mf::syntax, last_, "the text cannot be read beyond this place");
  }
  return std::move(out_);
}

/// What is checked before the library sees the text.
bool DocumentParser::text_is_sound() {
  if (text_.size() > limits_.max_bytes) {
    report(mf::too_big, {1, 1}, fmt::format("the text has {} bytes; the limit is {}", text_.size(), limits_.max_bytes));
    return false;
  }
  if (const auto fault = find_text_fault(text_)) {
    if (fault->control_character) {
      report(mf::not_utf8, fault->at, fmt::format("control character 0x{:02X}", fault->byte), "write it as an escape in quotes");
    } else {
      report(mf::not_utf8, fault->at, fmt::format("byte 0x{:02X} is not UTF-8", fault->byte), "save the file as UTF-8");
    }
    return false;
  }
  if (blanks_are_endless(text_)) {
    report(mf::too_big, {1, 1}, "too many blanks in a row");
    return false;
  }
  // Directives say nothing that a definition needs, and the library takes quadratic time over long ones.
  for (std::size_t at = 0; at < text_.size();) {
    if (text_[at] == '%' && !text_.substr(at).starts_with("%YAML 1.")) {
      const auto line = static_cast<std::uint32_t>(std::count(text_.begin(), text_.begin() + static_cast<std::ptrdiff_t>(at), '\n'));
      report(mf::syntax, {line + 1, 1}, "directives are not supported", "remove the line, or quote the text");
      return false;
    }
    const auto end = text_.find('\n', at);
    if (end == std::string_view::npos) break;
    at = end + 1;
  }
  return true;
}

void DocumentParser::take(const fy_event* event, fy_event* raw) {
  if (const fy_mark* at = fy_event_start_mark(raw))
    last_ = {static_cast<std::uint32_t>(at->line + 1), static_cast<std::uint32_t>(at->column + 1)};
  if (skip_ > 0) {
    if (event->type == FYET_MAPPING_START || event->type == FYET_SEQUENCE_START) ++skip_;
    if (event->type == FYET_MAPPING_END || event->type == FYET_SEQUENCE_END) --skip_;
    return;
  }
  switch (event->type) {
    case FYET_DOCUMENT_START:
      document_ = Document();
      document_.file = file_;
      anchors_.clear();
      break;
    case FYET_DOCUMENT_END: finish_document(); break;
    case FYET_MAPPING_START: start(raw, NodeType::map); break;
    case FYET_SEQUENCE_START: start(raw, NodeType::list); break;
    case FYET_MAPPING_END:
    case FYET_SEQUENCE_END: finish(raw); break;
    case FYET_SCALAR: take_scalar(raw); break;
    case FYET_ALIAS: take_alias(raw); break;
    default: break;
  }
}

void DocumentParser::start(fy_event* event, NodeType type) {
  const Mark at = mark_of(event);
  if (!frames_.empty() && frames_.back().is_map && !frames_.back().has_key) {
    report(mf::key_not_text, at, "a key must be a text, not a collection", std::string(kQuoteTemplates));
    frames_.back().has_key = frames_.back().drop = true;
    skip_ = 1;
    return;
  }
  if (frames_.size() >= limits_.max_depth) {
    report(mf::too_big, at, fmt::format("nested deeper than {} levels", limits_.max_depth));
    stopped_ = true;
    return;
  }
  Document::Entry entry;
  entry.type = type;
  entry.at = at;
  Frame frame;
  frame.is_map = type == NodeType::map;
  frame.entry = document_.push(std::move(entry));
  note_span(frame.entry, event);
  frame.anchor = token_text(frame.is_map ? event->mapping_start.anchor : event->sequence_start.anchor);
  frames_.push_back(std::move(frame));
  within_limits();
}

void DocumentParser::finish(fy_event* event) {
  Frame frame = std::move(frames_.back());
  frames_.pop_back();
  if (keep_spans_) document_.spans_[frame.entry].value.end = span_of(event).end;
  merge(frame);
  if (!frame.anchor.empty()) anchors_[frame.anchor] = frame.entry;
  place(frame.entry, document_.entries_[frame.entry].at);
}

/// Puts a complete node where it belongs.
void DocumentParser::place(std::uint32_t entry, Mark at) {
  if (document_.content(entry).weight > limits_.max_nodes) {
    report(mf::too_big, at, fmt::format("more than {} values, with every alias written out", limits_.max_nodes));
    stopped_ = true;
    return;
  }
  if (frames_.empty()) {
    document_.root_ = entry;
    return;
  }
  if (frames_.size() + document_.content(entry).height > limits_.max_depth) {
    report(mf::too_big, at, fmt::format("nested deeper than {} levels", limits_.max_depth));
    stopped_ = true;
    return;
  }
  Frame& frame = frames_.back();
  if (frame.is_map) {
    frame.has_key = false;
    if (std::exchange(frame.drop, false)) return;
    if (frame.key.empty()) {  // a merge key
      frame.merges.emplace_back(at, document_.entries_[entry].target ? document_.entries_[entry].target : entry);
      return;
    }
    document_.entries_[entry].key = frame.key;
    document_.entries_[entry].key_at = frame.key_at;
    if (keep_spans_) document_.spans_[entry].key = frame.key_span;
  }
  document_.append(frame.entry, entry);
}

bool DocumentParser::remember_key(Frame& frame, const Text& key) {
  constexpr std::size_t kFew = 16;
  if (frame.index.empty()) {
    for (const Text& known : frame.keys)
      if (known == key) return false;
  } else if (frame.index.contains(key.view())) {
    return false;
  }
  frame.keys.push_back(key);
  if (frame.keys.size() == kFew) {
    for (const Text& known : frame.keys) frame.index.insert(known.view());
  } else if (frame.keys.size() > kFew) {
    frame.index.insert(key.view());
  }
  return true;
}

/// Takes a scalar or alias in key position. True when it was one.
bool DocumentParser::take_key(std::string_view key, bool plain, Mark at) {
  if (frames_.empty() || !frames_.back().is_map || frames_.back().has_key) return false;
  Frame& frame = frames_.back();
  frame.has_key = true;
  frame.key_at = at;
  if (plain && key == "<<") {
    frame.key = Text();
    return true;
  }
  frame.key = Text(key);
  if (key.empty()) {
    report(mf::key_not_text, at, "a key is empty");
    frame.drop = true;
  } else if (!remember_key(frame, frame.key)) {
    report(mf::duplicate_key, at, fmt::format("'{}' is given twice", key));
    frame.drop = true;
  }
  return true;
}

void DocumentParser::take_scalar(fy_event* event) {
  fy_token* token = event->scalar.value;
  const std::string_view text = token_text(token);
  const fy_scalar_style style = token ? fy_token_scalar_style(token) : FYSS_PLAIN;
  const Mark at = mark_of(event);
  bool plain = style == FYSS_PLAIN;
  Value value = tagged_scalar(event, text, at, plain);
  const bool was_key = take_key(text, plain, at);
  if (was_key) frames_.back().key_span = span_of(event);

  Document::Entry entry;
  entry.at = at;
  if (plain && value.is_number()) entry.written = Text(text);
  entry.scalar = std::move(value);
  if (style == FYSS_LITERAL || style == FYSS_FOLDED) {
    const fy_mark* start = fy_token_start_mark(token);
    if (start) entry.at = block_start(at, start->input_pos);
    entry.layout = style == FYSS_LITERAL ? TextLayout::lines : TextLayout::folded;
  } else if (const fy_mark* end = fy_event_end_mark(event); end && static_cast<std::uint32_t>(end->line + 1) > at.line) {
    entry.layout = TextLayout::folded;
  }
  const std::string_view anchor = token_text(event->scalar.anchor);
  if (was_key && anchor.empty()) return;
  const std::uint32_t index = document_.push(std::move(entry));
  note_span(index, event);
  if (!anchor.empty()) anchors_[std::string(anchor)] = index;
  if (!within_limits() || was_key) return;
  place(index, at);
}

/// The value of a scalar, by its tag when it has one, else by its style and the core schema.
Value DocumentParser::tagged_scalar(fy_event* event, std::string_view text, Mark at, bool& plain) {
  bool infinite = false;
  const std::string_view tag = token_text(event->scalar.tag);
  if (tag.empty()) {
    if (!plain) return Value(text);
    Value value = resolve_plain_scalar(text, infinite);
    if (infinite) report(mf::bad_scalar, at, fmt::format("'{}' is a number that JSON cannot hold", text));
    return value;
  }
  plain = false;
  if (tag == "!" || tag == "tag:yaml.org,2002:str") return Value(text);
  Value value = resolve_plain_scalar(text, infinite);
  const bool fits = (tag == "tag:yaml.org,2002:int" && value.is_integer()) ||
                    (tag == "tag:yaml.org,2002:bool" && value.is_bool()) ||
                    (tag == "tag:yaml.org,2002:null" && value.is_null()) ||
                    (tag == "tag:yaml.org,2002:float" && value.is_number());
  if (!fits || infinite) report(mf::bad_scalar, at, fmt::format("'{}' is no value of tag '{}'", text, tag));
  return value;
}

void DocumentParser::take_alias(fy_event* event) {
  const std::string name(token_text(event->alias.anchor));
  Mark at = mark_of(event);
  if (at.column > 1) --at.column;  // the library's mark is behind the asterisk
  const auto found = anchors_.find(name);
  Document::Entry entry;
  entry.at = at;
  if (found == anchors_.end()) {
    const bool inside = std::ranges::any_of(frames_, [&](const Frame& frame) { return frame.anchor == name; });
    report(mf::unknown_anchor, at,
           inside ? fmt::format("alias '*{0}' stands inside its own anchor '&{0}'", name)
                  : fmt::format("no anchor '&{}' before this alias", name));
  } else {
    entry.target = found->second;
    const Value& scalar = document_.entries_[found->second].scalar;
    if (scalar.is_text() && take_key(scalar.as_text(), false, at)) return;
  }
  if (take_key("", false, at)) return;
  const std::uint32_t index = document_.push(std::move(entry));
  note_span(index, event);
  if (within_limits()) place(index, at);
}

/// `<<: *defaults` and `<<: [*a, *b]`: members that the map does not state itself; of several, the first one's.
void DocumentParser::merge(Frame& frame) {
  for (const auto& [at, source] : frame.merges) {
    const Document::Entry& given = document_.content(source);
    if (given.type == NodeType::map) {
      merge_map(frame, at, source);
    } else if (given.type == NodeType::list) {
      for (std::uint32_t each = given.first; each && !stopped(); each = document_.entries_[each].next) {
        const std::uint32_t target = document_.entries_[each].target;
        if (document_.content(each).type != NodeType::map) {
          report(mf::bad_merge, document_.content(each).at, "a merge key takes objects");
        } else {
          merge_map(frame, at, target ? target : each);
        }
      }
    } else {
      report(mf::bad_merge, at, "a merge key takes an object or a list of objects");
    }
  }
}

void DocumentParser::merge_map(Frame& frame, Mark at, std::uint32_t source) {
  for (std::uint32_t member = document_.entries_[source].first; member; member = document_.entries_[member].next) {
    Document::Entry alias;
    alias.key = document_.entries_[member].key;
    alias.key_at = document_.entries_[member].key_at;
    alias.at = at;
    alias.target = document_.entries_[member].target ? document_.entries_[member].target : member;
    if (!remember_key(frame, alias.key)) continue;
    document_.append(frame.entry, document_.push(std::move(alias)));
    if (!within_limits()) return;
  }
}

void DocumentParser::finish_document() {
  if (document_.root_ && !(document_.root().is_null())) out_.documents.push_back(std::move(document_));
  document_ = Document();
}

void DocumentParser::library_errors(fy_diag* diag) {
  void* each = nullptr;
  while (const fy_diag_error* error = fy_diag_errors_iterate(diag, &each)) {
    if (error->type != FYET_ERROR || !error->msg) continue;
    const Mark at{static_cast<std::uint32_t>(std::max(error->line, 1)), static_cast<std::uint32_t>(std::max(error->column, 1))};
    const std::string_view line = line_of(text_, at.line);
    // An unquoted template has been told already, and what follows on its line is only confusion about it.
    const bool told = std::ranges::any_of(out_.diagnostics, [&](const Diagnostic& other) { return other.code == mf::key_not_text && other.where.line == at.line; });
    if (told) continue;
    Wording wording = in_our_words(error->msg);
    const auto indented_by_tab = [](std::string_view text) { return text.substr(0, text.find_first_not_of(" \t")).find('\t') != std::string_view::npos; };
    if (indented_by_tab(line) || indented_by_tab(line_of(text_, at.line + 1))) wording = {"tab in the indentation", "indent with spaces"};
    else if (line.find(": {{") != std::string_view::npos) wording.hint = kQuoteTemplates;
    report(mf::syntax, at, std::string(wording.message), std::string(wording.hint));
  }
}

Span DocumentParser::span_of(fy_event* event) {
  const fy_mark* begin = fy_event_start_mark(event);
  const fy_mark* end = fy_event_end_mark(event);
  return begin && end ? Span{begin->input_pos, end->input_pos} : Span();
}

void DocumentParser::note_span(std::uint32_t entry, fy_event* event) {
  if (!keep_spans_) return;
  if (document_.spans_.size() <= entry) document_.spans_.resize(entry + 1);
  document_.spans_[entry].value = span_of(event);
}

Mark DocumentParser::mark_of(fy_event* event) {
  const fy_mark* at = fy_event_start_mark(event);
  if (at) return {static_cast<std::uint32_t>(at->line + 1), static_cast<std::uint32_t>(at->column + 1)};
  // An empty value has no place of its own: its key's is the next best.
  if (!frames_.empty() && frames_.back().has_key) return frames_.back().key_at;
  return last_;
}

/// A block scalar's mark is the start of its first line; the text begins after the indentation.
Mark DocumentParser::block_start(Mark at, std::size_t position) const {
  std::string_view rest = text_.substr(std::min(position, text_.size()));
  const auto first = rest.find_first_not_of(" \r\n");
  if (first == std::string_view::npos) return at;
  const auto line_start = rest.substr(0, first).rfind('\n');
  const std::size_t indent = line_start == std::string_view::npos ? first : first - line_start - 1;
  at.column = static_cast<std::uint32_t>(indent + 1);
  return at;
}

void DocumentParser::report(std::string_view code, Mark at, std::string message, std::string hint) {
  out_.diagnostics.push_back({Severity::error, std::string(code), {file_, at.line, at.column}, std::move(message), std::move(hint)});
  if (out_.diagnostics.size() >= kMostDiagnostics) stopped_ = true;
}

bool DocumentParser::within_limits() {
  // Entries of finished documents are counted too: their number is what the memory is.
  if (++nodes_ > limits_.max_nodes && !stopped()) {
    report(mf::too_big, last_, fmt::format("more than {} values", limits_.max_nodes));
    stopped_ = true;
  }
  return !stopped();
}

ParsedText parse_documents(std::string_view text, const std::string& file, const DocumentLimits& limits, Spans spans) {
  return DocumentParser(text, file, limits, spans).run();
}

}  // namespace mapflow::builder
