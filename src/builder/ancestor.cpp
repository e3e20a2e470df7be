// The spellings of the engine's Python ancestor, and what each reads as. The only place that knows them.
//
// Translation happens on the document, before it is read, so that the reader and everything behind it see one language
// and diagnostics still point at what was written. A document without these spellings passes through untouched.
#include <fmt/format.h>

#include <array>

#include "builder/reading.h"

namespace mapflow::builder {

namespace {

struct Spelling {
  std::string_view kind;       ///< "" for every kind
  std::string_view written;
  std::string_view canonical;
};

constexpr auto kSpellings = std::to_array<Spelling>({
    {"", "step_id", "id"},
    {"", "retry_policy", "retry"},
    {"", "compensation", "compensate"},
    {"", "compensation_handler", "compensate"},
    {"message", "data_template", "data"},
    {"loop", "items_source", "items"},
    {"loop", "loop_variable", "loop_var"},
    {"wait", "until_condition", "condition"},
    {"aggregate", "aggregation_func", "aggregation"},
    {"aggregate", "aggregation_type", "aggregation"},
    {"custom", "execute_handler", "handler"},
    {"custom", "compensate_handler", "compensate"},
    {"subworkflow", "input_mapping", "input"},    // and its values become templates
    {"subworkflow", "output_mapping", "output"},  // and it is turned around
});

class StepTranslation {
 public:
  StepTranslation(Reading& reading, Node step, std::string_view kind) : reading_(reading), document_(reading.document()), step_(step), kind_(kind) {}

  void run() {
    std::vector<Node> members;
    for (const Node member : step_.children()) members.push_back(member);
    for (const Node member : members) translate(member);
    if (kind_ == "message") unpack_template();
  }

 private:
  void translate(Node member) {
    for (const Spelling& spelling : kSpellings) {
      if (spelling.written != member.key() || (!spelling.kind.empty() && spelling.kind != kind_)) continue;
      if (refuse_second(member, spelling.canonical)) return;
      if (spelling.written == "input_mapping") return replace(member, "input", input_of(member));
      if (spelling.written == "output_mapping") return replace(member, "output", output_of(member));
      if (spelling.canonical == "compensate" && member.is_text()) return replace(member, "compensate", handler_step(member));
      return document_.rename(member, spelling.canonical);
    }
  }

  /// True when the canonical field is there as well; the second one is reported and dropped.
  bool refuse_second(Node member, std::string_view canonical) {
    if (!step_.find(canonical)) return false;
    reading_.error(mf::said_twice, member.key_mark(), fmt::format("'{}' and '{}' are the same field", member.key(), canonical),
                   fmt::format("keep '{}'", canonical));
    document_.remove(step_, member);
    return true;
  }

  void replace(Node member, std::string_view key, Node value) {
    const Mark key_at = member.key_mark();
    document_.remove(step_, member);
    document_.add(step_, key, key_at, value);
  }

  /// {child_var: parent_var} → {child_var: "{{ parent_var }}"}; values that are no bare names stay as they are.
  Node input_of(Node mapping) {
    if (!mapping.is_map()) return mapping;
    const Node input = document_.make_map(mapping.mark());
    for (const Node each : members_of(mapping)) {
      const bool name = each.is_text() && is_path(each.text());
      document_.add(input, each.key(), each.key_mark(),
                    name ? document_.make(Value(fmt::format("{{{{ {} }}}}", each.text())), each.mark()) : each);
    }
    return input;
  }

  /// {child_result: parent_var} → {parent_var: "{{ child.results.child_result }}"}.
  Node output_of(Node mapping) {
    if (!mapping.is_map()) return mapping;
    const Node output = document_.make_map(mapping.mark());
    for (const Node each : members_of(mapping)) {
      if (!each.is_text()) {
        reading_.error(mf::wrong_type, each.mark(), fmt::format("'output_mapping.{}' must be the name of a variable, not {}", each.key(), each.kind_name()));
        continue;
      }
      document_.add(output, each.text(), each.mark(),
                    document_.make(Value(fmt::format("{{{{ child.results.{} }}}}", each.key())), each.key_mark()));
    }
    return output;
  }

  /// The name of a handler where a step is wanted.
  Node handler_step(Node name) {
    const Node step = document_.make_map(name.mark());
    document_.add(step, "type", name.mark(), document_.make(Value("custom"), name.mark()));
    document_.add(step, "handler", name.mark(), name);
    return step;
  }

  /// template: {action, data, priority, metadata, type} → action, data, priority and headers of the message itself.
  void unpack_template() {
    const Node packed = step_.find("template");
    if (!packed || !packed.is_map()) return;
    const std::vector<Node> members = members_of(packed);
    document_.remove(step_, packed);
    Node headers;
    for (const Node each : members) {
      if (each.key() == "metadata" && each.is_map()) {
        for (const Node header : members_of(each)) add_header(headers, packed, header, header.key());
      } else if (each.key() == "type") {
        add_header(headers, packed, each, "type");
      } else if (!refuse_second_of_template(each)) {
        document_.add(step_, each.key(), each.key_mark(), each);
      }
    }
    if (headers) document_.add(step_, "headers", packed.key_mark(), headers);
  }

  bool refuse_second_of_template(Node each) {
    if (!step_.find(each.key())) return false;
    reading_.error(mf::said_twice, each.key_mark(), fmt::format("'{0}' stands in the template and beside it", each.key()));
    return true;
  }

  void add_header(Node& headers, Node packed, Node value, std::string_view key) {
    if (!headers) headers = document_.make_map(packed.mark());
    document_.add(headers, key, value.key_mark(), value);
  }

  static std::vector<Node> members_of(Node map) {
    std::vector<Node> members;
    for (const Node each : map.children()) members.push_back(each);
    return members;
  }

  static bool is_path(std::string_view text) {
    return !text.empty() && text.find_first_of("{}$ '\"()[]+-*/|") == std::string_view::npos;
  }

  Reading& reading_;
  Document& document_;
  Node step_;
  std::string_view kind_;
};

}  // namespace

void translate_workflow(Reading& reading, Node workflow) {
  const Node old = workflow.find("workflow_id");
  if (!old) return;
  if (workflow.find("id")) {
    reading.error(mf::said_twice, old.key_mark(), "'workflow_id' and 'id' are the same field", "keep 'id'");
    reading.document().remove(workflow, old);
  } else {
    reading.document().rename(old, "id");
  }
}

void translate_step(Reading& reading, Node step) {
  const Node type = step.find("type");
  StepTranslation(reading, step, type ? type.text() : std::string_view()).run();
}

}  // namespace mapflow::builder
