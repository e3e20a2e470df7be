// The whole engine for a program that embeds it: one header.
//
//   #include <mapflow/mapflow.h>
//
//   mapflow::Engine engine({.store = "sqlite:orders.db", .agents = mapflow::all_transports()});
//   engine.handler("price", [](const mapflow::StepInput& in) -> mapflow::Value { … });
//   auto definition = mapflow::workflow("order_processing").custom("price", {{"items", "{{ items }}"}}).build();
//   engine.add(definition.value());
//   auto run = engine.start("order_processing", input);
//   auto end = run->wait();
//
// docs/cpp.md is the guide; examples/cpp has a program for each of: embedding, handlers, step kinds, stores, events.
#pragma once

#include "base/error.h"
#include "base/time.h"
#include "builder/printer.h"
#include "builder/reader.h"
#include "builder/render.h"
#include "builder/validator.h"
#include "engine/agent.h"
#include "engine/async.h"
#include "engine/engine.h"
#include "engine/handler.h"
#include "fluent/patterns.h"
#include "fluent/workflow.h"
#include "kernel/history.h"
#include "kernel/step_kind.h"
#include "mapflow/definitions.h"
#include "mapflow/version.h"
#include "model/definition.h"
#include "model/diagnostic.h"
#include "model/message.h"
#include "model/policy.h"
#include "model/state.h"
#include "persistence/store.h"
#include "value/json.h"
#include "value/schema.h"
#include "value/value.h"
