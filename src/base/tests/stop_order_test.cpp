#include "base/stop_order.hpp"

#include <gtest/gtest.h>
#include <string>

namespace tcfdl {
namespace {

TEST(StopOrder, StopsLastStartedFirstAndOnlyOnce) {
  std::string order;
  {
    StopOrder stops;
    stops.add([&] { order += 'a'; });
    stops.add([&] { order += 'b'; });
    stops.stop();
    stops.stop();
  }
  EXPECT_EQ(order, "ba");
}

} // namespace
} // namespace tcfdl
