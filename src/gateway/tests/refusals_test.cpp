#include "gateway/refusals.hpp"

#include "base/guarded.hpp"

#include <gmock/gmock.h>
#include <latch>

namespace tcfdl::gateway {
namespace {

using std::chrono::milliseconds;
using testing::SizeIs;

http::Answered request(int status, const std::string& remote = "10.0.0.7:4711",
                       const std::string& path = "/v1/functions/echo/invoke") {
  return {"POST", path, remote, http::Caller{"anna", "client", 0}, status};
}

/// The reports of what is noted in `use`; the first `failures` of them are not taken.
std::vector<wire::Refusals> reports_of(int failures, RefusalsSettings settings,
                                       const std::function<void(Refusals&)>& use) {
  Guarded<std::vector<wire::Refusals>> reports;
  {
    Refusals refusals(
        [&](const wire::Refusals& report) -> Status {
          if (failures-- > 0) return Error(Code::kUnavailable, "the master restarts");
          reports.with([&](auto& all) { all.push_back(report); });
          return {};
        },
        settings);
    use(refusals);
  }
  return reports.with([](auto& all) { return all; });
}

TEST(Refusals, AreThoseOfCallersAlone) {
  const auto reports = reports_of(0, {.every = std::chrono::hours(1)}, [](Refusals& refusals) {
    for (const auto status : {200, 404, 429, 500}) refusals.note(request(status));
    refusals.note(request(403));
    refusals.note({"GET", "/v1/tasks", "10.0.0.9:1", std::nullopt, 401});
  });
  ASSERT_THAT(reports, SizeIs(1));
  ASSERT_EQ(reports[0].refusals_size(), 2);
  const auto& known = reports[0].refusals(0);
  EXPECT_EQ(known.who(), "anna");
  EXPECT_EQ(known.role(), "client");
  EXPECT_EQ(known.host(), "10.0.0.7");
  EXPECT_EQ(known.method(), "POST");
  EXPECT_EQ(known.path(), "/v1/functions/echo/invoke");
  EXPECT_EQ(known.status(), 403U);
  EXPECT_EQ(known.times(), 1U);
  EXPECT_EQ(reports[0].refusals(1).who(), "");
  EXPECT_EQ(reports[0].refusals(1).status(), 401U);
}

TEST(Refusals, ThatAreTheSameAreOneRecord) {
  const auto reports = reports_of(0, {.every = std::chrono::hours(1)}, [](Refusals& refusals) {
    for (int port = 1; port <= 5; ++port) refusals.note(request(403, "10.0.0.7:" + std::to_string(port)));
    refusals.note(request(401));
  });
  ASSERT_THAT(reports, SizeIs(1));
  ASSERT_EQ(reports[0].refusals_size(), 2);
  EXPECT_EQ(reports[0].refusals(0).times(), 5U);
}

TEST(Refusals, ThatAreManyAreCountedTogetherAndShort) {
  const auto reports = reports_of(0, {.every = std::chrono::hours(1), .most = 3}, [](Refusals& refusals) {
    for (int i = 0; i < 10; ++i) {
      refusals.note(request(403, "10.0.0.7:1", "/" + std::to_string(i) + std::string(5000, 'x')));
    }
  });
  ASSERT_THAT(reports, SizeIs(1));
  EXPECT_EQ(reports[0].refusals_size(), 3);
  EXPECT_EQ(reports[0].others(), 7U);
  EXPECT_THAT(reports[0].refusals(0).path(), SizeIs(256));
}

TEST(Refusals, AreToldAgainToAMasterThatWasAway) {
  Guarded<std::vector<wire::Refusals>> reports;
  std::latch failed(2);
  std::latch told(1);
  int attempts = 0;
  Refusals refusals(
      [&](const wire::Refusals& report) -> Status {
        if (++attempts <= 2) {
          failed.count_down();
          return Error(Code::kUnavailable, "the master restarts");
        }
        reports.with([&](auto& all) { all.push_back(report); });
        if (attempts == 3) told.count_down();
        return {};
      },
      {.every = milliseconds(1)});
  refusals.note(request(403));
  failed.wait();
  told.wait();
  const auto taken = reports.with([](auto& all) { return all; });
  ASSERT_THAT(taken, SizeIs(1));
  EXPECT_EQ(taken[0].refusals(0).times(), 1U);
}

TEST(Refusals, AreNotWaitedForWhenAMasterIsGone) {
  EXPECT_THAT(reports_of(1000, {.every = std::chrono::hours(1)}, [](Refusals& r) { r.note(request(403)); }), SizeIs(0));
}

} // namespace
} // namespace tcfdl::gateway
