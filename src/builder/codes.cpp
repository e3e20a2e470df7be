#include "builder/codes.h"

#include <array>

namespace mapflow::builder {

namespace {

constexpr std::array kCodes = std::to_array<CodeEntry>({
    {mf::not_utf8, "not UTF-8 text"},
    {mf::syntax, "not well-formed YAML or JSON"},
    {mf::too_big, "too big to read"},
    {mf::duplicate_key, "a key given twice"},
    {mf::key_not_text, "a key that is not text"},
    {mf::unknown_anchor, "an alias without its anchor"},
    {mf::bad_merge, "a merge key that cannot be merged"},
    {mf::bad_scalar, "a value that JSON cannot hold"},
    {mf::include_failed, "an included file that cannot be read"},
    {mf::include_cycle, "files that include each other"},
    {mf::no_definition, "no definition in the file"},
    {mf::cannot_format, "a text that cannot be formatted"},
    {mf::unknown_key, "unknown key"},
    {mf::wrong_type, "wrong type"},
    {mf::missing, "required field missing"},
    {mf::unknown_kind, "unknown step kind"},
    {mf::not_allowed, "value not allowed"},
    {mf::duplicate_step, "two steps with one id"},
    {mf::bad_id, "not a usable id"},
    {mf::said_twice, "one field under two names"},
    {mf::duplicate_workflow, "two workflows with one id"},
    {"MF0210", "conditional: condition or switch"},
    {"MF0211", "parallel: two branches with one name"},
    {"MF0212", "parallel: more successes wanted than branches"},
    {"MF0213", "loop: nothing to loop over"},
    {"MF0214", "loop: iterations that cannot run side by side"},
    {"MF0215", "wait: exactly one thing to wait for"},
    {"MF0216", "wait: on_timeout without a timeout"},
    {"MF0217", "transform: nothing to do"},
    {"MF0218", "aggregate: custom needs an expression or a reducer"},
    {"MF0219", "aggregate: a field without effect"},
    {mf::bad_duration, "not a duration"},
    {mf::bad_transport, "an agent needs exactly one transport"},
    {mf::no_steps, "a workflow without steps"},
    {mf::bad_schema, "not a JSON Schema"},
    {mf::nameless_branch, "a branch of several steps needs a name"},
    {mf::bad_rate, "not a rate"},
    {mf::too_deep, "steps nested too deeply"},
    {"MF0227", "aggregate: not a source"},
    {"MF0228", "message: expect without a reply"},
    {"MF0229", "wait: check_interval without a condition"},
    {mf::unknown_agent, "unknown agent"},
    {mf::unknown_step, "unknown step"},
    {mf::not_yet_run, "a result that cannot be there yet"},
    {mf::undeclared_variable, "undeclared variable"},
    {mf::unknown_workflow, "unknown workflow"},
    {mf::endless_recursion, "workflows that call each other without end"},
    {mf::unknown_member, "unknown member of a built-in name"},
    {mf::reserved_name, "a variable hidden by a built-in name"},
    {mf::undeclared_agent, "an agent that nobody declares"},
    {mf::template_syntax, "a template that does not compile"},
    {mf::expression_syntax, "an expression that does not compile"},
    {mf::constant_condition, "a condition that never changes"},
    {mf::text_in_expression, "text around a template in an expression"},
    {mf::stays_text, "an expression in `${…}` that stays text"},
    {mf::timeout_order, "timeouts that cannot fit"},
    {mf::compensation_steps, "custom compensation without steps, or steps without it"},
    {mf::compensation_unused, "a compensation that never runs"},
    {mf::retry_unused, "a retry that never happens"},
    {mf::small_budget, "a budget that cannot suffice"},
    {mf::not_undone, "a step that is not undone"},
    {mf::never_runs, "steps that never run"},
});

}  // namespace

std::span<const CodeEntry> code_table() { return kCodes; }

}  // namespace mapflow::builder
