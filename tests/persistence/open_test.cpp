// Store URLs.
#include <doctest/doctest.h>

#include "persistence/helpers.h"
#include "persistence/store.h"

using namespace mapflow;
using namespace mapflow::persistence;
using namespace mapflow::persistence::testing;

TEST_CASE("memory: is a new store each time") {
  const auto first = open("memory:"), second = open("memory:");
  REQUIRE(first);
  REQUIRE(second);
  CHECK((*first)->name() == "memory:");
  CHECK_FALSE((*first)->durable());
  acquire(**first, Partition(0));
  CHECK((*second)->leases()->empty());
}

TEST_CASE("sqlite: takes a path, absolute also with empty host") {
  const TemporaryFolder folder;
  for (const std::string& url : {"sqlite:" + folder.path("a b.db"), "sqlite://" + folder.path("a b.db")}) {
    const auto store = open(url);
    REQUIRE_MESSAGE(store, store.error().to_string());
    CHECK((*store)->name() == "sqlite:" + folder.path("a b.db"));
  }
  CHECK(std::filesystem::exists(folder.path("a b.db")));
}

TEST_CASE("a URL that names no store is refused with what would") {
  struct Case {
    std::string_view url, said;
  };
  for (const auto& [url, said] : {Case{"mysql://db", "memory:, sqlite:PATH"}, Case{"orders.db", "did you mean 'sqlite:orders.db'"},
                                  Case{"sqlite:", "sqlite:mapflow.db"}, Case{"sqlite://orders.db", "write 'sqlite:orders.db'"},
                                  Case{"memory:x", "write just 'memory:'"}, Case{"", "known: memory:"},
                                  Case{"C:\\orders.db", "known: memory:"}, Case{"sqlite", "known: memory:"}}) {
    const auto refused = open(url);
    REQUIRE(error_code(refused) == code::invalid_input);
    INFO(refused.error().to_string());
    CHECK(refused.error().to_string().find(said) != std::string::npos);
  }
}
