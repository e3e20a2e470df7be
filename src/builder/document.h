// YAML or JSON text as a tree of values that know where they stand in the text. The only user of the YAML library.
//
// YAML 1.2 with its core schema (JSON is a part of it): quoted scalars are texts; plain ones are null, booleans,
// integers, floats, else texts. Anchors, aliases, merge keys (`<<`) and several documents in one text are understood.
// An alias is the same node seen from two places, so a "billion laughs" text costs what its text costs; how large the
// tree would be when written out is counted and bounded.
//
// A Document owns its nodes; a Node is a cheap view of one and dies with it. Nothing here is shared between threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "model/diagnostic.h"
#include "value/value.h"

namespace mapflow::builder {

/// Bounds on one text. Going past one is an error MF0103.
struct DocumentLimits {
  std::size_t max_bytes = 16u << 20;
  std::size_t max_depth = 250;
  std::size_t max_nodes = 2'500'000;  ///< scalars, keys and collections of all documents, aliases written out
};

/// A place in the text of a document, from 1. 0 means unknown (values that never were text).
struct Mark {
  std::uint32_t line = 0;
  std::uint32_t column = 0;
};

enum class NodeType : std::uint8_t { scalar, list, map };

/// How the characters of a text lie in the file.
enum class TextLayout : std::uint8_t {
  in_line,  ///< on one line, as they are (escapes in quotes aside)
  lines,    ///< a `|` block: its lines are lines of the file, all with the same indentation
  folded,   ///< over several lines that are joined: only where it begins can be told
};

/// Bytes of the text, quotes not counted. Empty where nothing of its own was written.
struct Span {
  std::size_t begin = 0;
  std::size_t end = 0;
  bool empty() const { return begin == end; }
};

class Document;

class Node {
 public:
  class Range;

  Node() = default;
  explicit operator bool() const { return document_ != nullptr; }

  NodeType type() const;
  bool is_map() const { return type() == NodeType::map; }
  bool is_list() const { return type() == NodeType::list; }
  bool is_scalar() const { return type() == NodeType::scalar; }
  bool is_text() const { return is_scalar() && scalar().is_text(); }
  bool is_null() const { return is_scalar() && scalar().is_null(); }

  const Value& scalar() const;      ///< null for lists and maps
  std::string_view text() const;    ///< of a text; "" for anything else
  /// A number as it was written ("1.10"); "" for anything else.
  std::string_view written() const;
  /// Where it starts: the first character inside the quotes, the first of the content of a block scalar.
  Mark mark() const;
  TextLayout layout() const;

  Range children() const;           ///< elements or members, as written, merged members last
  std::size_t size() const;         ///< number of children
  Node find(std::string_view key) const;  ///< a member, or a false node

  std::string_view key() const;     ///< the member's key; "" for elements
  Mark key_mark() const;

  // For those who rewrite texts. Known only when the document was parsed with Spans::kept.
  bool is_alias() const;            ///< what it says stands elsewhere
  /// A block collection's reaches up to whatever follows it.
  Span span() const;
  Span key_span() const;            ///< empty for members that were merged or made
  bool operator==(const Node& other) const = default;

  /// The whole subtree as a value.
  Value to_value() const;
  /// What people call it: "a list", "an object", "a string", "null" …
  std::string_view kind_name() const;

 private:
  friend class Document;
  Node(const Document* document, std::uint32_t entry) : document_(document), entry_(entry) {}
  const Document* document_ = nullptr;
  std::uint32_t entry_ = 0;
};

class Document {
 public:
  Node root() const { return {this, root_}; }
  bool empty() const { return root_ == 0; }
  std::string file;

  // Changes, for readers that translate one spelling to another before they read. Views stay good.
  void rename(Node member, std::string_view key);
  void remove(Node map, Node member);
  Node make(Value scalar, Mark at);
  Node make_map(Mark at);
  /// Makes `child` a member of `map` under `key`; what else holds `child` keeps it.
  void add(Node map, std::string_view key, Mark key_at, Node child);

  /// A document of a value that never was text: all its marks are unknown.
  static Document of(const Value& value, std::string file);

 private:
  friend class Node;
  friend class DocumentParser;
  friend class Node::Range;

  // Node 0 is nobody. Children are a linked list, because they are made before their parent is complete.
  struct Entry {
    Text key;
    Text written;
    Value scalar;
    Mark key_at, at;
    std::uint32_t first = 0, last = 0, next = 0;
    std::uint32_t target = 0;      // of an alias: the node that it stands for
    std::uint32_t weight = 1;      // nodes of the subtree, aliases written out
    std::uint16_t height = 1;
    NodeType type = NodeType::scalar;
    TextLayout layout = TextLayout::in_line;
  };

  const Entry& content(std::uint32_t entry) const {
    const Entry& at = entries_[entry];
    return at.target ? entries_[at.target] : at;
  }
  std::uint32_t push(Entry entry);
  void append(std::uint32_t parent, std::uint32_t child);
  std::uint32_t push_value(const Value& value);

  struct EntrySpans {
    Span key, value;
  };

  std::vector<Entry> entries_{1};
  std::vector<EntrySpans> spans_;  // by entry; empty unless they are kept
  std::uint32_t root_ = 0;
};

class Node::Range {
 public:
  class iterator {
   public:
    Node operator*() const { return Node(document_, entry_); }
    iterator& operator++() { entry_ = document_->entries_[entry_].next; return *this; }
    bool operator==(const iterator& other) const { return entry_ == other.entry_; }

   private:
    friend class Range;
    iterator(const Document* document, std::uint32_t entry) : document_(document), entry_(entry) {}
    const Document* document_;
    std::uint32_t entry_;
  };
  iterator begin() const { return {document_, first_}; }
  iterator end() const { return {document_, 0}; }

 private:
  friend class Node;
  Range(const Document* document, std::uint32_t first) : document_(document), first_(first) {}
  const Document* document_;
  std::uint32_t first_;
};

struct ParsedText {
  std::vector<Document> documents;  ///< those that are complete; empty ones are left out
  Diagnostics diagnostics;
};

enum class Spans : std::uint8_t { dropped, kept };

/// Parses a text of any origin. Never throws; every problem is a diagnostic with its place in `file`.
ParsedText parse_documents(std::string_view text, const std::string& file, const DocumentLimits& limits = {},
                           Spans spans = Spans::dropped);

/// A plain scalar by the core schema: null, boolean, integer, number, else the text itself. Integers that do not fit
/// 64 bits become numbers. `infinite` is set for .inf and .nan, which JSON has not.
Value resolve_plain_scalar(std::string_view text, bool& infinite);

}  // namespace mapflow::builder
