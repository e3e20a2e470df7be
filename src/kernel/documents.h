// Parts of documents that events have too. Internal to history.cpp and documents.cpp; kernel/history.h has the rest.
#pragma once

#include "base/time.h"
#include "kernel/ledger.h"
#include "value/value.h"

namespace mapflow::kernel {

Value spending_document(const Spending& spent);
Value limits_document(const Limits& limits);
inline double seconds(Duration span) { return static_cast<double>(span.count()) / 1e6; }

}  // namespace mapflow::kernel
