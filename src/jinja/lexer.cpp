#include "jinja/lexer.h"

#include <algorithm>
#include <string>

#include "jinja/failure.h"
#include "jinja/unicode.h"

namespace mapflow::jinja::detail {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::string with_plain_newlines(std::string_view source) {
  std::string plain;
  plain.reserve(source.size());
  for (std::size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '\r') {
      plain += '\n';
      if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
    } else {
      plain += source[i];
    }
  }
  return plain;
}

class Lexer {
 public:
  Lexer(Program& program, const Options& options) : program_(program), options_(options), source_(program.source) {}

  std::vector<Token> run(bool expression) {
    if (expression)
      tag(Closer::none);
    else
      root();
    push(Tok::end, source_.size(), {});
    return std::move(tokens_);
  }

 private:
  enum class Closer { none, variable, block };

  [[noreturn]] void fail(std::size_t at, std::string message) const {
    throw Failure{FailureClass::syntax, std::move(message), {}, &program_, static_cast<std::uint32_t>(at), nullptr};
  }
  void push(Tok type, std::size_t at, std::string_view text) {
    tokens_.push_back({type, static_cast<std::uint32_t>(at), text});
  }
  char peek(std::size_t at) const { return at < source_.size() ? source_[at] : '\0'; }
  bool looking_at(std::size_t at, std::string_view text) const {
    return source_.substr(std::min(at, source_.size()), text.size()) == text;
  }
  std::size_t skip_space(std::size_t at) const {
    while (at < source_.size()) {
      const std::size_t width = unicode::space_width(source_.substr(at));
      if (width == 0) break;
      at += width;
    }
    return at;
  }

  // The text up to a tag, cut back as the tag's sign and lstrip_blocks say.
  void data(std::size_t from, std::size_t to, char sign, bool may_lstrip) {
    std::string_view text = source_.substr(from, to - from);
    if (sign == '-') {
      text = unicode::strip_right(text);
    } else if (sign != '+' && options_.lstrip_blocks && may_lstrip) {
      const std::size_t newline = text.rfind('\n');
      const std::size_t line = newline == std::string_view::npos ? 0 : newline + 1;
      if ((line > 0 || line_starting_) && unicode::strip_right(text.substr(line)).empty()) text = text.substr(0, line);
    }
    if (!text.empty()) push(Tok::data, from, text);
  }

  // Where the source goes on after the `-`, `+` or nothing and the closing mark at `at`; npos when it is not there.
  std::size_t closing(std::size_t at, std::string_view mark, bool plus, bool trims) const {
    if (peek(at) == '-' && looking_at(at + 1, mark)) return skip_space(at + 1 + mark.size());
    if (plus && peek(at) == '+' && looking_at(at + 1, mark)) return at + 1 + mark.size();
    if (!looking_at(at, mark)) return std::string_view::npos;
    at += mark.size();
    return trims && options_.trim_blocks && peek(at) == '\n' ? at + 1 : at;
  }
  void moved_to(std::size_t next) {
    line_starting_ = next > 0 && source_[next - 1] == '\n';
    at_ = next;
  }
  char sign_at(std::size_t at) const { return peek(at) == '-' || peek(at) == '+' ? peek(at) : '\0'; }

  // After `{%` and its sign: where a raw block's text starts, or npos.
  std::size_t raw_begin(std::size_t at) const {
    at = skip_space(at);
    if (!looking_at(at, "raw")) return std::string_view::npos;
    return closing(skip_space(at + 3), "%}", false, false);
  }

  void root() {
    while (at_ < source_.size()) {
      std::size_t tag_at = source_.find('{', at_);
      while (tag_at != std::string_view::npos && peek(tag_at + 1) != '%' && peek(tag_at + 1) != '{' &&
             peek(tag_at + 1) != '#')
        tag_at = source_.find('{', tag_at + 1);
      if (tag_at == std::string_view::npos) {
        push(Tok::data, at_, source_.substr(at_));
        return;
      }
      const char kind = source_[tag_at + 1];
      const char sign = sign_at(tag_at + 2);
      const std::size_t inside = tag_at + 2 + (sign ? 1 : 0);
      data(at_, tag_at, sign, kind != '{');
      if (kind == '#') {
        comment(tag_at, inside);
      } else if (kind == '{') {
        push(Tok::variable_begin, tag_at, source_.substr(tag_at, 2));
        at_ = inside;
        tag(Closer::variable);
      } else if (const std::size_t text = raw_begin(inside); text != std::string_view::npos) {
        raw(tag_at, text);
      } else {
        push(Tok::block_begin, tag_at, source_.substr(tag_at, 2));
        at_ = inside;
        tag(Closer::block);
      }
    }
  }

  void comment(std::size_t tag_at, std::size_t inside) {
    for (std::size_t hash = inside; (hash = source_.find("#}", hash)) != std::string_view::npos; ++hash) {
      const bool signed_end = hash > inside && (source_[hash - 1] == '-' || source_[hash - 1] == '+');
      moved_to(closing(signed_end ? hash - 1 : hash, "#}", true, true));
      return;
    }
    if (inside < source_.size()) fail(tag_at, "Missing end of comment tag");
    moved_to(inside);  // Jinja2 lets a comment pass that begins where the template ends
  }

  void raw(std::size_t tag_at, std::size_t text) {
    moved_to(text);
    for (std::size_t tag = text; (tag = source_.find("{%", tag)) != std::string_view::npos; ++tag) {
      const char sign = sign_at(tag + 2);
      const std::size_t word = skip_space(tag + 2 + (sign ? 1 : 0));
      if (!looking_at(word, "endraw")) continue;
      const std::size_t next = closing(skip_space(word + 6), "%}", true, true);
      if (next == std::string_view::npos) continue;
      data(text, tag, sign, true);
      moved_to(next);
      return;
    }
    if (text < source_.size()) fail(tag_at, "Missing end of raw directive");
  }

  // The inside of a tag, up to and with its closing mark.
  void tag(Closer closer) {
    std::string balance;
    while (true) {
      at_ = skip_space(at_);
      if (at_ >= source_.size()) return;
      if (balance.empty() && closer != Closer::none) {
        const bool block = closer == Closer::block;
        const std::size_t next = closing(at_, block ? "%}" : "}}", block, block);
        if (next != std::string_view::npos) {
          push(block ? Tok::block_end : Tok::variable_end, at_, block ? "%}" : "}}");
          moved_to(next);
          return;
        }
      }
      const char c = source_[at_];
      if (is_digit(c))
        number();
      else if (c == '"' || c == '\'')
        string();
      else if (unicode::word_width(source_.substr(at_)) != 0)
        name();
      else
        op(balance);
    }
  }

  void name() {
    const std::size_t from = at_;
    while (const std::size_t width = unicode::word_width(source_.substr(at_))) at_ += width;
    push(Tok::name, from, source_.substr(from, at_ - from));
  }

  // Digits with single underscores between them, from `at`; returns where they end.
  std::size_t digits(std::size_t at, bool (*accepts)(char), bool underscore_first = false) const {
    std::size_t end = at;
    while (true) {
      std::size_t next = end;
      if (peek(next) == '_' && (end > at || underscore_first)) ++next;
      if (!accepts(peek(next))) return end;
      end = next + 1;
    }
  }

  void number() {
    const std::size_t from = at_;
    const bool after_dot = from > 0 && source_[from - 1] == '.';
    if (!after_dot) {
      std::size_t end = digits(from, is_digit);
      bool is_float = false;
      if (peek(end) == '.' && is_digit(peek(end + 1))) {
        end = digits(end + 1, is_digit);
        is_float = true;
      }
      if (peek(end) == 'e' || peek(end) == 'E') {
        const std::size_t exponent = end + 1 + (peek(end + 1) == '+' || peek(end + 1) == '-' ? 1 : 0);
        if (is_digit(peek(exponent))) {
          end = digits(exponent, is_digit);
          is_float = true;
        }
      }
      if (is_float) {
        push(Tok::number, from, source_.substr(from, end - from));
        at_ = end;
        return;
      }
    }
    std::size_t end = from;
    if (source_[from] == '0') {
      const char base = static_cast<char>(peek(from + 1) | 0x20);
      if (base == 'b')
        end = digits(from + 2, [](char c) { return c == '0' || c == '1'; }, true);
      else if (base == 'o')
        end = digits(from + 2, [](char c) { return c >= '0' && c <= '7'; }, true);
      else if (base == 'x')
        end = digits(from + 2, [](char c) { return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f'); }, true);
      if (end <= from + 2) end = digits(from, [](char c) { return c == '0'; });
    } else {
      end = digits(from, is_digit);
    }
    push(Tok::integer, from, source_.substr(from, end - from));
    at_ = end;
  }

  void string() {
    const std::size_t from = at_;
    const char quote = source_[from];
    std::size_t end = from + 1;
    bool escaped = false;
    while (peek(end) != quote || end >= source_.size()) {
      if (end >= source_.size()) fail(from, "this text is not closed: its end quote is missing");
      if (source_[end] == '\\') {
        escaped = true;
        ++end;
      }
      ++end;
    }
    if (end >= source_.size()) fail(from, "this text is not closed: its end quote is missing");
    const std::string_view inside = source_.substr(from + 1, end - from - 1);
    push(Tok::string, from, escaped ? unescape(from, inside) : inside);
    at_ = end + 1;
  }

  std::string_view unescape(std::size_t at, std::string_view text) {
    std::string plain;
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text[i] != '\\') {
        plain += text[i];
        continue;
      }
      const char c = text[++i];
      static constexpr std::string_view from = "\\'\"abfnrtv", to = "\\'\"\a\b\f\n\r\t\v";
      if (const auto simple = from.find(c); simple != std::string_view::npos) {
        plain += to[simple];
      } else if (c == '\n') {
        continue;
      } else if (c >= '0' && c <= '7') {
        std::uint32_t code = 0;
        std::size_t used = 0;
        for (; used < 3 && i + used < text.size() && text[i + used] >= '0' && text[i + used] <= '7'; ++used)
          code = code * 8 + static_cast<std::uint32_t>(text[i + used] - '0');
        i += used - 1;
        unicode::append_utf8(plain, code);
      } else if (c == 'x' || c == 'u' || c == 'U') {
        const std::size_t width = c == 'x' ? 2 : c == 'u' ? 4 : 8;
        i = unescape_hex(at, text, i + 1, width, plain) - 1;
      } else if (c == 'N') {
        fail(at, "malformed \\N character escape: characters cannot be given by name");
      } else {
        plain += '\\';
        plain += c;
      }
    }
    return program_.keep(std::move(plain));
  }

  std::size_t unescape_hex(std::size_t at, std::string_view text, std::size_t from, std::size_t width,
                           std::string& plain) const {
    std::uint32_t code = 0;
    for (std::size_t i = 0; i < width; ++i) {
      const char c = from + i < text.size() ? text[from + i] : '\0';
      const char low = static_cast<char>(c | 0x20);
      if (!is_digit(c) && !(low >= 'a' && low <= 'f'))
        fail(at, "this escape needs " + std::to_string(width) + " hexadecimal digits");
      code = code * 16 + static_cast<std::uint32_t>(is_digit(c) ? c - '0' : low - 'a' + 10);
    }
    std::size_t next = from + width;
    if (code >= 0xD800 && code < 0xDC00 && text.substr(std::min(next, text.size()), 2) == "\\u" &&
        next + 6 <= text.size()) {
      std::string second;
      const std::size_t after = unescape_hex(at, text, next + 2, 4, second);
      const std::uint32_t low = unicode::decode(second).code;
      if (low >= 0xDC00 && low < 0xE000) {
        unicode::append_utf8(plain, 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00));
        return after;
      }
    }
    if (code > 0x10FFFF) fail(at, "illegal Unicode character");
    unicode::append_utf8(plain, code);
    return next;
  }

  void op(std::string& balance) {
    static constexpr std::pair<std::string_view, Tok> operators[] = {
        {"//", Tok::floordiv}, {"**", Tok::pow},   {"==", Tok::eq},      {"!=", Tok::ne},      {">=", Tok::ge},
        {"<=", Tok::le},       {"+", Tok::add},    {"-", Tok::sub},      {"/", Tok::div},      {"*", Tok::mul},
        {"%", Tok::mod},       {"~", Tok::tilde},  {"[", Tok::lbracket}, {"]", Tok::rbracket}, {"(", Tok::lparen},
        {")", Tok::rparen},    {"{", Tok::lbrace}, {"}", Tok::rbrace},   {">", Tok::gt},       {"<", Tok::lt},
        {"=", Tok::assign},    {".", Tok::dot},    {":", Tok::colon},    {"|", Tok::pipe},     {",", Tok::comma},
        {";", Tok::semicolon}};
    for (const auto& [text, type] : operators) {
      if (!looking_at(at_, text)) continue;
      if (type == Tok::lbrace) balance += '}';
      if (type == Tok::lparen) balance += ')';
      if (type == Tok::lbracket) balance += ']';
      if (type == Tok::rbrace || type == Tok::rparen || type == Tok::rbracket) {
        if (balance.empty()) fail(at_, "unexpected '" + std::string(text) + "'");
        if (balance.back() != text[0])
          fail(at_, "unexpected '" + std::string(text) + "', expected '" + std::string(1, balance.back()) + "'");
        balance.pop_back();
      }
      push(type, at_, source_.substr(at_, text.size()));
      at_ += text.size();
      return;
    }
    const auto width = unicode::decode(source_.substr(at_)).width;
    fail(at_, "unexpected character '" + std::string(source_.substr(at_, width)) + "'");
  }

  Program& program_;
  const Options& options_;
  std::string_view source_;
  std::size_t at_ = 0;
  bool line_starting_ = true;
  std::vector<Token> tokens_;
};

}  // namespace

std::string describe(const Token& token) {
  switch (token.type) {
    case Tok::end: return "end of template";
    case Tok::variable_end: return "end of print statement";
    case Tok::block_end: return "end of statement block";
    case Tok::string: return "text \"" + std::string(token.text.substr(0, 40)) + "\"";
    case Tok::data: return "template text";
    default: return "'" + std::string(token.text) + "'";
  }
}

std::vector<Token> tokenize(Program& program, const Options& options, bool expression) {
  if (program.source.find('\r') != std::string::npos) program.source = with_plain_newlines(program.source);
  if (!expression && !options.keep_trailing_newline && program.source.ends_with('\n')) program.source.pop_back();
  return Lexer(program, options).run(expression);
}

}  // namespace mapflow::jinja::detail
