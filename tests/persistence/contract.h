// The contract of persistence/store.h as a suite that every backend must pass.
#pragma once

#include <doctest/doctest.h>

#include <functional>
#include <memory>

#include "persistence/store.h"

namespace mapflow::persistence::testing {

/// A fresh store, and a second look at the same data: another process' where the backend allows it.
class StoreUnderTest {
 public:
  virtual ~StoreUnderTest() = default;
  virtual Store& store() = 0;
  virtual Store& other() = 0;
};

using StoreFactory = std::function<std::unique_ptr<StoreUnderTest>()>;

void check_leases(const StoreFactory& make);
void check_commits(const StoreFactory& make);
void check_reads(const StoreFactory& make);
void check_concurrency(const StoreFactory& make);

/// To be called from a TEST_CASE: it consists of SUBCASEs, each on a store of its own.
inline void check_contract(const StoreFactory& make) {
  SUBCASE("leases") { check_leases(make); }
  SUBCASE("commits") { check_commits(make); }
  SUBCASE("reads") { check_reads(make); }
  SUBCASE("concurrency") { check_concurrency(make); }
}

}  // namespace mapflow::persistence::testing
