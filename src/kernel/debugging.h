// What debugging sees of templates.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "jinja/jinja.h"
#include "value/value.h"

namespace mapflow::kernel {

/// `value`, or a note of its size when it is too large to be recorded with every template that reads it.
Value brief(Value value);

/// The names of another scope. Remembers which were read and what they were.
class Tracing final : public jinja::Scope {
 public:
  explicit Tracing(const jinja::Scope& inner) : inner_(inner), read_(Object{}) {}

  const Value* find(std::string_view name) const override;
  std::vector<std::string> names() const override { return inner_.names(); }
  const Value& names_read() const { return read_; }

 private:
  const jinja::Scope& inner_;
  mutable Value read_;
};

}  // namespace mapflow::kernel
