#include "security_manager/audit_log.hpp"

#include "base/file.hpp"

#include <gtest/gtest.h>

namespace tcfdl::security_manager {
namespace {

class AuditLogTest : public testing::Test {
protected:
  void SetUp() override {
    database_ = database::Database::open(directory_.path() / "test.sqlite").value();
    log_ = AuditLog::open(*database_, clock_).value();
  }

  TemporaryDirectory directory_;
  class ManualClock final : public Clock {
  public:
    [[nodiscard]] UnixSeconds now() const override { return time; }
    UnixSeconds time = 1'000'000'000;
  };
  ManualClock clock_;
  std::unique_ptr<database::Database> database_;
  std::unique_ptr<AuditLog> log_;
};

TEST_F(AuditLogTest, TellsWhatWasDoneNewestFirst) {
  log_->add({"ann", "deployer", "127.0.0.1:5", "POST", "/v1/functions", true, "201"});
  log_->add({"", "", "127.0.0.1:6", "GET", "/v1/status", false, "401"});
  log_->stop();
  const auto records = log_->newest(10).value();
  ASSERT_EQ(records.size(), 2U);
  EXPECT_EQ(records[1].event.who, "ann");
  EXPECT_EQ(records[1].event.object, "/v1/functions");
  EXPECT_TRUE(records[1].event.allowed);
  EXPECT_EQ(records[0].event.outcome, "401");
  EXPECT_FALSE(records[0].event.allowed);
  EXPECT_EQ(records[0].number, records[1].number + 1);
  EXPECT_EQ(log_->newest(1).value().size(), 1U);
}

TEST_F(AuditLogTest, RecordsWhatIsAddedAfterItsThreadEnded) {
  log_->stop();
  log_->add({"ann", "admin", "", "DELETE", "/v1/access/bob", true, "204"});
  EXPECT_EQ(log_->newest(10).value().size(), 1U);
}

TEST_F(AuditLogTest, BoundsWhatPeersChoose) {
  log_->add({"", "", "", "GET", std::string(100'000, 'a'), false, "404"});
  log_->stop();
  EXPECT_LE(log_->newest(1).value().at(0).event.object.size(), 512U);
}

TEST_F(AuditLogTest, ForgetsTheOldest) {
  ASSERT_TRUE(
      database_->execute("INSERT INTO audit (number, time, who, role, peer, action, object, allowed, outcome) "
                         "VALUES (1, ?2, '', '', '', 'GET', '/', 0, ''), (?1, ?2, '', '', '', 'GET', '/', 0, '')",
                         {AuditSettings().most_records, clock_.now()}));
  log_->add({"ann", "admin", "", "POST", "/v1/tokens", true, "201"});
  log_->stop();
  const auto records = log_->newest(10).value();
  ASSERT_EQ(records.size(), 2U);
  EXPECT_EQ(records[1].number, AuditSettings().most_records);
}

TEST_F(AuditLogTest, ForgetsWhatIsOlderThanItsRetentionAFewAtATime) {
  for (int i = 0; i < 150; ++i) log_->add({"ann", "admin", "", "GET", "/old", true, "200"});
  log_->stop();
  clock_.time += AuditSettings().retention.count() + 1;
  log_->add({"ann", "admin", "", "GET", "/new", true, "200"});
  EXPECT_EQ(log_->newest(1000).value().size(), 51U);
  log_->add({"ann", "admin", "", "GET", "/new", true, "200"});
  const auto left = log_->newest(1000).value();
  ASSERT_EQ(left.size(), 2U);
  EXPECT_EQ(left[1].event.object, "/new");
}

} // namespace
} // namespace tcfdl::security_manager
