// Values on their way to and from PostgreSQL, in its binary form.
//
//   Array ids(Array::text);                         Rows rows = …;
//   for (const auto& row : rows_) ids.add(row.id);  for (int row = 0; row < rows.count(); ++row)
//   Arguments arguments;                              use(rows.number(row, 0), rows.text(row, 1));
//   arguments.add(7).add("n1").add(std::move(ids));
#pragma once

#include <concepts>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

struct pg_result;

namespace mapflow::persistence::postgres {

/// Bytes that are to be kept as bytea, not as text.
struct Bytes {
  std::string_view bytes;
};

/// A text as PostgreSQL can keep it, which knows neither zero bytes nor anything but UTF-8: each byte that would be
/// refused becomes the code point U+10FF00 + byte. from_stored gives every text back as it was.
std::string to_stored(std::string_view text);
std::string from_stored(std::string_view stored);

/// One array argument: a column of many rows.
class Array {
 public:
  enum Element : std::uint32_t { boolean = 16, bytea = 17, int8 = 20, int4 = 23, text = 25 };  // the types' numbers
  explicit Array(Element element) : element_(element), bytes_(kHeader, '\0') {}

  void add(std::integral auto number) { add_number(static_cast<std::int64_t>(number)); }
  void add(std::string_view text);
  void add(const Bytes& bytes) { append(bytes.bytes); }
  void add_null();

  std::uint32_t size() const { return size_; }

 private:
  friend class Arguments;
  static constexpr std::size_t kHeader = 20;
  void add_number(std::int64_t number);
  void append(std::string_view value);
  std::uint32_t type() const;
  std::string take();

  Element element_;
  std::uint32_t size_ = 0;
  bool nulls_ = false;
  std::string bytes_;
};

/// The arguments $1, $2 … of a statement.
class Arguments {
 public:
  Arguments& add(std::integral auto number) { return add_number(static_cast<std::int64_t>(number)); }
  Arguments& add(std::string_view text);
  Arguments& add(const Bytes& bytes);
  Arguments& add(Array array);

  int count() const { return static_cast<int>(values_.size()); }
  const std::vector<std::uint32_t>& types() const { return types_; }
  const std::vector<std::string>& values() const { return values_; }

 private:
  Arguments& add_number(std::int64_t number);

  std::vector<std::uint32_t> types_;
  std::vector<std::string> values_;
};

/// What a statement gave. Views live as long as it.
class Rows {
 public:
  Rows() = default;
  explicit Rows(pg_result* result) : result_(result) {}

  int count() const;
  std::int64_t number(int row, int column) const;  ///< of any integer type, or boolean
  std::string_view bytes(int row, int column) const;
  std::string text(int row, int column) const { return from_stored(bytes(row, column)); }
  std::vector<std::string> texts(int row, int column) const;  ///< of an array of texts without nulls
  bool null(int row, int column) const;

 private:
  struct Clear { void operator()(pg_result* result) const; };
  std::unique_ptr<pg_result, Clear> result_;
};

}  // namespace mapflow::persistence::postgres
