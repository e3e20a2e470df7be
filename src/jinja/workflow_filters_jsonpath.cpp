// JSONPath as RFC 9535 writes it, without its functions: `value|jsonpath('$.orders[?@.total > 100].id')`.
#include <algorithm>
#include <charconv>
#include <memory>
#include <optional>
#include <vector>

#include <fmt/format.h>

#include "jinja/unicode.h"
#include "jinja/workflow_filters.h"

namespace mapflow::jinja::workflow {

namespace {

constexpr int kDeepest = 64;  // brackets within brackets in a path
constexpr std::size_t kLongestPath = 4096;

struct Selector;
struct Segment {
  bool descendants = false;
  std::vector<Selector> selectors;
};
struct Query {
  bool relative = false;  ///< starts at @, the element that a filter looks at
  std::vector<Segment> segments;
};

/// A filter's condition.
struct Condition {
  enum class Kind { either, both, negated, exists, compare } kind = Kind::exists;
  std::vector<Condition> parts;
  std::string op;
  struct Side {
    std::optional<Query> query;
    Value literal;
  };
  Side left, right;
};

struct Selector {
  enum class Kind { name, wildcard, index, slice, filter } kind = Kind::wildcard;
  std::string name;
  std::int64_t index = 0;
  std::optional<std::int64_t> start, stop;
  std::int64_t step = 1;
  std::unique_ptr<Condition> condition;
};

struct BadPath {
  std::size_t at;
  std::string what;
};

class PathParser {
 public:
  explicit PathParser(std::string_view text) : text_(text) {}

  Query parse() {
    Query query = this->query();
    if (query.relative) fail("a path starts with '$'");
    if (at_ != text_.size()) fail("unexpected '" + std::string(text_.substr(at_, 1)) + "'");
    return query;
  }

 private:
  [[noreturn]] void fail(std::string what) const { throw BadPath{at_, std::move(what)}; }
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool take(std::string_view wanted) {
    if (!text_.substr(at_).starts_with(wanted)) return false;
    at_ += wanted.size();
    return true;
  }
  void space() {
    while (peek() == ' ' || peek() == '\t' || peek() == '\n' || peek() == '\r') ++at_;
  }
  void expect(std::string_view wanted) {
    if (!take(wanted)) fail("expected '" + std::string(wanted) + "'");
  }

  Query query() {
    Query query;
    if (take("@"))
      query.relative = true;
    else if (!take("$"))
      fail("a path starts with '$'");
    while (true) {
      const std::size_t before = at_;
      space();
      if (peek() != '.' && peek() != '[') {
        at_ = before;
        return query;
      }
      Segment segment;
      segment.descendants = take("..");
      if (peek() == '[')
        brackets(segment);
      else if (segment.descendants || take("."))
        shorthand(segment);
      query.segments.push_back(std::move(segment));
    }
  }

  void shorthand(Segment& segment) {
    Selector selector;
    if (!take("*")) {
      selector.kind = Selector::Kind::name;
      const std::size_t from = at_;
      while (at_ < text_.size() &&
             (static_cast<unsigned char>(peek()) >= 0x80 || detail::unicode::word_width(text_.substr(at_))))
        ++at_;
      selector.name = text_.substr(from, at_ - from);
      if (selector.name.empty() || (selector.name[0] >= '0' && selector.name[0] <= '9'))
        fail("expected a name after '.'");
    }
    segment.selectors.push_back(std::move(selector));
  }

  void brackets(Segment& segment) {
    if (++depth_ > kDeepest) fail("the path is nested too deeply");
    expect("[");
    do {
      space();
      segment.selectors.push_back(selector());
      space();
    } while (take(","));
    expect("]");
    --depth_;
  }

  Selector selector() {
    Selector selector;
    if (take("*")) return selector;
    if (take("?")) {
      space();
      selector.kind = Selector::Kind::filter;
      selector.condition = std::make_unique<Condition>(either());
      return selector;
    }
    if (peek() == '\'' || peek() == '"') {
      selector.kind = Selector::Kind::name;
      selector.name = text();
      return selector;
    }
    selector.start = integer();
    space();
    if (!take(":")) {
      if (!selector.start) fail("expected a name, a number, '*' or '?'");
      selector.kind = Selector::Kind::index;
      selector.index = *selector.start;
      return selector;
    }
    selector.kind = Selector::Kind::slice;
    space();
    selector.stop = integer();
    space();
    if (take(":")) {
      space();
      selector.step = integer().value_or(1);
    }
    return selector;
  }

  std::optional<std::int64_t> integer() {
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), number);
    if (error == std::errc::invalid_argument) return std::nullopt;
    if (error != std::errc() || number > (std::int64_t{1} << 53) || number < -(std::int64_t{1} << 53))
      fail("the number is too large");
    at_ = static_cast<std::size_t>(end - text_.data());
    return number;
  }

  std::string text() {
    const char quote = text_[at_++];
    std::string out;
    while (peek() != quote || at_ >= text_.size()) {
      if (at_ >= text_.size()) fail("a text is not closed");
      if (peek() != '\\') {
        out += text_[at_++];
        continue;
      }
      ++at_;
      const char c = peek();
      ++at_;
      static constexpr std::string_view from = "bfnrt", to = "\b\f\n\r\t";
      if (const auto simple = from.find(c); c && simple != std::string_view::npos) {
        out += to[simple];
      } else if (c == 'u') {
        std::uint32_t code = 0;
        const auto [end, error] =
            std::from_chars(text_.data() + at_, text_.data() + std::min(at_ + 4, text_.size()), code, 16);
        if (error != std::errc() || end != text_.data() + at_ + 4) fail("\\u needs four hexadecimal digits");
        at_ += 4;
        detail::unicode::append_utf8(out, code);
      } else {
        out += c;
      }
    }
    ++at_;
    return out;
  }

  Condition either() {
    if (++depth_ > kDeepest) fail("the path is nested too deeply");
    Condition made;
    made.kind = Condition::Kind::either;
    do {
      made.parts.push_back(both());
      space();
    } while (take("||"));
    --depth_;
    return made;
  }

  Condition both() {
    Condition made;
    made.kind = Condition::Kind::both;
    do {
      space();
      made.parts.push_back(basic());
      space();
    } while (take("&&"));
    return made;
  }

  Condition basic() {
    space();
    Condition made;
    if (peek() == '!' && !text_.substr(at_).starts_with("!=")) {
      ++at_;
      made.kind = Condition::Kind::negated;
      if (++depth_ > kDeepest) fail("the path is nested too deeply");
      made.parts.push_back(basic());
      --depth_;
      return made;
    }
    if (take("(")) {
      made = either();
      space();
      expect(")");
      return made;
    }
    made.left = side();
    space();
    for (const std::string_view op : {"==", "!=", "<=", ">=", "<", ">"}) {
      if (!take(op)) continue;
      made.kind = Condition::Kind::compare;
      made.op = op;
      space();
      made.right = side();
      return made;
    }
    if (!made.left.query) fail("a value alone is no condition");
    return made;
  }

  Condition::Side side() {
    Condition::Side side;
    if (peek() == '@' || peek() == '$') {
      side.query = query();
    } else if (peek() == '\'' || peek() == '"') {
      side.literal = Value(text());
    } else if (take("true")) {
      side.literal = Value(true);
    } else if (take("false")) {
      side.literal = Value(false);
    } else if (!take("null")) {
      double number = 0;
      const auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), number);
      if (error != std::errc()) fail("expected '@', '$', a text, a number, true, false or null");
      at_ = static_cast<std::size_t>(end - text_.data());
      side.literal = Value(number);
    }
    return side;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  int depth_ = 0;
};

struct TooMuch {};

class PathRunner {
 public:
  PathRunner(const Value& root, Budget budget) : root_(root), steps_left_(budget.bytes / sizeof(Value)) {}

  using Nodes = std::vector<const Value*>;

  Nodes run(const Query& query, const Value& current) {
    Nodes nodes{query.relative ? &current : &root_};
    for (const Segment& segment : query.segments) {
      Nodes next;
      for (const Value* node : nodes) apply(segment, *node, next, 0);
      nodes = std::move(next);
    }
    return nodes;
  }

 private:
  void step() {
    if (steps_left_-- == 0) throw TooMuch{};
  }

  void apply(const Segment& segment, const Value& node, Nodes& out, int depth) {
    step();
    if (depth > 1000) throw TooMuch{};
    for (const Selector& selector : segment.selectors) select(selector, node, out);
    if (!segment.descendants) return;
    if (node.is_array())
      for (const Value& each : node.as_array()) apply(segment, each, out, depth + 1);
    if (node.is_object())
      for (const auto& [key, each] : node.as_object()) apply(segment, each, out, depth + 1);
  }

  void select(const Selector& selector, const Value& node, Nodes& out) {
    step();
    const auto add = [&](const Value& each) {
      step();
      out.push_back(&each);
    };
    const auto size = static_cast<std::int64_t>(node.is_array() ? node.size() : 0);
    switch (selector.kind) {
      case Selector::Kind::name:
        if (const Value* found = node.find(selector.name)) add(*found);
        return;
      case Selector::Kind::index: {
        const std::int64_t at = selector.index < 0 ? selector.index + size : selector.index;
        if (at >= 0 && at < size) add(node.as_array()[static_cast<std::size_t>(at)]);
        return;
      }
      case Selector::Kind::slice: slice(selector, node, size, add); return;
      case Selector::Kind::wildcard:
      case Selector::Kind::filter:
        each_child(node, [&](const Value& child) {
          if (!selector.condition || holds(*selector.condition, child)) add(child);
        });
        return;
    }
  }

  template <class Use>
  static void each_child(const Value& node, Use use) {
    if (node.is_array())
      for (const Value& each : node.as_array()) use(each);
    if (node.is_object())
      for (const auto& [key, each] : node.as_object()) use(each);
  }

  template <class Add>
  static void slice(const Selector& selector, const Value& node, std::int64_t size, Add add) {
    if (selector.step == 0 || size == 0) return;
    const auto normal = [&](std::optional<std::int64_t> given, std::int64_t otherwise) {
      return !given ? otherwise : *given < 0 ? *given + size : *given;
    };
    if (selector.step > 0) {
      const std::int64_t from = std::clamp<std::int64_t>(normal(selector.start, 0), 0, size),
                         to = std::clamp<std::int64_t>(normal(selector.stop, size), 0, size);
      for (std::int64_t i = from; i < to; i += selector.step) add(node.as_array()[static_cast<std::size_t>(i)]);
    } else {
      const std::int64_t from = std::clamp<std::int64_t>(normal(selector.start, size - 1), -1, size - 1),
                         to = std::clamp<std::int64_t>(normal(selector.stop, -1), -1, size - 1);
      const std::int64_t end = selector.stop ? to : -1;
      for (std::int64_t i = from; i > end; i += selector.step) add(node.as_array()[static_cast<std::size_t>(i)]);
    }
  }

  // The one value of a side of a comparison; nullptr for nothing.
  const Value* value_of(const Condition::Side& side, const Value& current) {
    if (!side.query) return &side.literal;
    const Nodes nodes = run(*side.query, current);
    return nodes.size() == 1 ? nodes[0] : nullptr;
  }

  static bool less(const Value* a, const Value* b) {
    if (!a || !b) return false;
    if (a->is_number() && b->is_number()) return a->as_double() < b->as_double();
    return a->is_text() && b->is_text() && a->as_text() < b->as_text();
  }

  bool compare(const Condition& condition, const Value& current) {
    const Value* a = value_of(condition.left, current);
    const Value* b = value_of(condition.right, current);
    const bool equal = a && b ? *a == *b : !a && !b;
    if (condition.op == "==") return equal;
    if (condition.op == "!=") return !equal;
    if (condition.op == "<") return less(a, b);
    if (condition.op == ">") return less(b, a);
    if (condition.op == "<=") return equal || less(a, b);
    return equal || less(b, a);
  }

  bool holds(const Condition& condition, const Value& current) {
    step();
    const auto part_holds = [&](const Condition& part) { return holds(part, current); };
    switch (condition.kind) {
      case Condition::Kind::either: return std::any_of(condition.parts.begin(), condition.parts.end(), part_holds);
      case Condition::Kind::both: return std::all_of(condition.parts.begin(), condition.parts.end(), part_holds);
      case Condition::Kind::negated: return !part_holds(condition.parts[0]);
      case Condition::Kind::exists: return !run(*condition.left.query, current).empty();
      case Condition::Kind::compare: return compare(condition, current);
    }
    return false;
  }

  const Value& root_;
  std::size_t steps_left_;
};

HostFunction jsonpath(Budget budget) {
  return [budget](const Arguments& arguments) -> Result<Value> {
    Call call("jsonpath", arguments);
    const Value& root = call.value(0, "value");
    const std::string_view path = call.text(1, "path");
    MAPFLOW_JINJA_CHECK(call);
    if (path.size() > kLongestPath)
      return fail(code::resource_exhausted, fmt::format("jsonpath: the path is longer than {} bytes", kLongestPath));
    try {
      const Query query = PathParser(path).parse();
      Array found;
      for (const Value* node : PathRunner(root, budget).run(query, root)) found.push_back(*node);
      return Value(std::move(found));
    } catch (const BadPath& bad) {
      return fail(code::invalid_input, fmt::format("jsonpath: {} at character {} of '{}'", bad.what, bad.at + 1, path));
    } catch (const TooMuch&) { return too_large("jsonpath"); }
  };
}

}  // namespace

void add_jsonpath_filter(Environment& environment, Budget budget) {
  environment.add_filter("jsonpath", jsonpath(budget));
}

}  // namespace mapflow::jinja::workflow
