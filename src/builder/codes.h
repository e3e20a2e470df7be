// Every problem that the builder can find, with its stable number.
//
// Numbers are forever: people search for them, silence them and link to them. A code that is no longer used stays in
// the table's gaps; docs/diagnostics.md has one section for each, and a test compares the two both ways.
#pragma once

#include <span>
#include <string_view>

namespace mapflow::builder {

struct CodeEntry {
  std::string_view number;  ///< "MF0102"
  std::string_view title;   ///< a few words, the heading of its section in docs/diagnostics.md
};

/// All codes in order, those that the step kinds' own checks use (MF0210 … MF0219) included.
std::span<const CodeEntry> code_table();

namespace mf {
// The text.
inline constexpr std::string_view not_utf8 = "MF0101";
inline constexpr std::string_view syntax = "MF0102";
inline constexpr std::string_view too_big = "MF0103";
inline constexpr std::string_view duplicate_key = "MF0104";
inline constexpr std::string_view key_not_text = "MF0105";
inline constexpr std::string_view unknown_anchor = "MF0106";
inline constexpr std::string_view bad_merge = "MF0107";
inline constexpr std::string_view bad_scalar = "MF0108";
inline constexpr std::string_view include_failed = "MF0109";
inline constexpr std::string_view include_cycle = "MF0110";
inline constexpr std::string_view no_definition = "MF0111";
inline constexpr std::string_view cannot_format = "MF0112";
// The shape.
inline constexpr std::string_view unknown_key = "MF0201";
inline constexpr std::string_view wrong_type = "MF0202";
inline constexpr std::string_view missing = "MF0203";
inline constexpr std::string_view unknown_kind = "MF0204";
inline constexpr std::string_view not_allowed = "MF0205";
inline constexpr std::string_view duplicate_step = "MF0206";
inline constexpr std::string_view bad_id = "MF0207";
inline constexpr std::string_view said_twice = "MF0208";
inline constexpr std::string_view duplicate_workflow = "MF0209";
inline constexpr std::string_view bad_duration = "MF0220";
inline constexpr std::string_view bad_transport = "MF0221";
inline constexpr std::string_view no_steps = "MF0222";
inline constexpr std::string_view bad_schema = "MF0223";
inline constexpr std::string_view nameless_branch = "MF0224";
inline constexpr std::string_view bad_rate = "MF0225";
inline constexpr std::string_view too_deep = "MF0226";
// The names.
inline constexpr std::string_view unknown_agent = "MF0301";
inline constexpr std::string_view unknown_step = "MF0302";
inline constexpr std::string_view not_yet_run = "MF0303";
inline constexpr std::string_view undeclared_variable = "MF0304";
inline constexpr std::string_view unknown_workflow = "MF0305";
inline constexpr std::string_view endless_recursion = "MF0306";
inline constexpr std::string_view unknown_member = "MF0307";
inline constexpr std::string_view reserved_name = "MF0308";
inline constexpr std::string_view undeclared_agent = "MF0309";
// Templates and expressions.
inline constexpr std::string_view template_syntax = "MF0401";
inline constexpr std::string_view expression_syntax = "MF0402";
inline constexpr std::string_view constant_condition = "MF0403";
inline constexpr std::string_view text_in_expression = "MF0404";
inline constexpr std::string_view stays_text = "MF0405";
// What cannot work or does nothing.
inline constexpr std::string_view timeout_order = "MF0501";
inline constexpr std::string_view compensation_steps = "MF0502";
inline constexpr std::string_view compensation_unused = "MF0503";
inline constexpr std::string_view retry_unused = "MF0504";
inline constexpr std::string_view small_budget = "MF0505";
inline constexpr std::string_view not_undone = "MF0506";
inline constexpr std::string_view never_runs = "MF0507";
}  // namespace mf

}  // namespace mapflow::builder
