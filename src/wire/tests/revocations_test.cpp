#include "wire/revocations.hpp"

#include "base/file.hpp"

#include <gmock/gmock.h>
#include <thread>

namespace tcfdl::wire {
namespace {

constexpr std::int64_t kListed = 1'800'000'000;

class RevocationsTest : public testing::Test {
protected:
  static RevocationList numbered(std::uint64_t number) {
    RevocationList list;
    list.set_number(number);
    list.set_issued(kListed);
    return list;
  }
  static Certificate certificate(const std::string& subject, std::uint64_t serial, const std::string& key) {
    Certificate result;
    result.set_subject(subject);
    result.set_serial(serial);
    result.set_verify_key(key);
    return result;
  }
  Code refused(const RevocationList& list) {
    const auto taken = revocations_.accept(sign(authority_, list));
    return taken ? Code{} : taken.error().code();
  }
  std::unique_ptr<Revocations> reopen() const {
    auto opened = Revocations::open(file(), authority_.public_key());
    EXPECT_TRUE(opened);
    return opened ? *std::move(opened) : nullptr;
  }
  [[nodiscard]] std::filesystem::path file() const { return directory_.path() / "revocations"; }

  TemporaryDirectory directory_;
  crypto::SigningKey authority_ = crypto::SigningKey::generate();
  Revocations revocations_{authority_.public_key()};
};

TEST_F(RevocationsTest, RefusesWhatIsOnTheListAndNothingElse) {
  EXPECT_TRUE(revocations_.check(certificate("anna", 8, "key-a")));
  auto list = numbered(1);
  list.add_serials(8);
  list.add_keys(field(crypto::sha256(as_bytes("key-b"))));
  EXPECT_EQ(revocations_.accept(sign(authority_, list)).value(), true);
  const auto by_serial = revocations_.check(certificate("anna", 8, "key-a"));
  ASSERT_FALSE(by_serial);
  EXPECT_EQ(by_serial.error().code(), Code::kUnauthenticated);
  EXPECT_THAT(by_serial.error().message(), testing::HasSubstr("certificate 8 of anna is revoked"));
  EXPECT_EQ(revocations_.check(certificate("bert", 9, "key-b")).error().code(), Code::kUnauthenticated);
  EXPECT_EQ(revocations_.check_key("key-b", "bert").error().code(), Code::kUnauthenticated);
  EXPECT_TRUE(revocations_.check(certificate("anna", 9, "key-a")));
}

TEST_F(RevocationsTest, NumbersNeverGoBackAlsoOverARestart) {
  auto kept = reopen();
  auto list = numbered(7);
  list.add_serials(8);
  ASSERT_TRUE(kept->accept(sign(authority_, list)));
  kept = reopen();
  EXPECT_EQ(kept->number(), 7U);
  const auto rolled_back = kept->accept(sign(authority_, numbered(6)));
  ASSERT_FALSE(rolled_back);
  EXPECT_EQ(rolled_back.error().code(), Code::kFailedPrecondition);
  EXPECT_THAT(rolled_back.error().message(), testing::HasSubstr("list 6 is older than list 7"));
  EXPECT_EQ(kept->accept(sign(authority_, numbered(7))).value(), false) << "the same number changes nothing";
  EXPECT_FALSE(kept->check(certificate("anna", 8, "key")));
  EXPECT_EQ(kept->accept(sign(authority_, numbered(8))).value(), true);
  EXPECT_TRUE(kept->check(certificate("anna", 8, "key")));
}

TEST_F(RevocationsTest, OnlyTheAuthorityTakesBack) {
  const auto other = crypto::SigningKey::generate();
  EXPECT_EQ(revocations_.accept(sign(other, numbered(1))).error().code(), Code::kUnauthenticated);
  auto changed = sign(authority_, numbered(1));
  changed.set_statement(numbered(2).SerializeAsString());
  EXPECT_EQ(revocations_.accept(changed).error().code(), Code::kUnauthenticated);
  EXPECT_EQ(revocations_.accept(Signed()).error().code(), Code::kUnauthenticated);
  auto large = numbered(1);
  for (int i = 0; i < 30'000; ++i) large.add_keys(std::string(32, 'k'));
  EXPECT_EQ(refused(large), Code::kInvalidArgument);
  EXPECT_EQ(revocations_.number(), 0U);
}

TEST_F(RevocationsTest, AnEpochEndsWithItsOverlap) {
  auto list = numbered(1);
  auto& echo = *list.add_epochs();
  echo.set_function("echo");
  echo.set_epoch(4);
  auto& retired = *echo.add_retired();
  retired.set_epoch(3);
  retired.set_until(kListed + 10);
  ASSERT_TRUE(revocations_.accept(sign(authority_, list)));
  EXPECT_TRUE(revocations_.check_epoch("echo", 4, kListed));
  EXPECT_TRUE(revocations_.check_epoch("echo", 5, kListed)) << "newer than this list";
  EXPECT_TRUE(revocations_.check_epoch("echo", 3, kListed + 9));
  const auto over = revocations_.check_epoch("echo", 3, kListed + 10);
  ASSERT_FALSE(over);
  EXPECT_EQ(over.error().code(), Code::kFailedPrecondition);
  EXPECT_THAT(over.error().message(), testing::HasSubstr("epoch 3 of the keys of echo is over, epoch 4"));
  EXPECT_FALSE(revocations_.check_epoch("echo", 2, kListed));
  EXPECT_TRUE(revocations_.check_epoch("other", 0, kListed));
  EXPECT_EQ(revocations_.check_in_force("echo", 3).error().code(), Code::kFailedPrecondition);
  EXPECT_TRUE(revocations_.check_in_force("echo", 4));
}

TEST_F(RevocationsTest, WhoWaitsHearsOfANewerList) {
  std::jthread publisher([&] { EXPECT_TRUE(revocations_.accept(sign(authority_, numbered(3)))); });
  const auto heard = revocations_.wait_for_newer(2, Deadline::after(std::chrono::seconds(30)));
  EXPECT_EQ(parse<RevocationList>(heard.statement()).value().number(), 3U);
  EXPECT_TRUE(revocations_.wait_for_newer(3, Deadline::after(std::chrono::milliseconds(1))).statement().empty());
  revocations_.end_waits();
  EXPECT_TRUE(revocations_.wait_for_newer(9, Deadline::after(std::chrono::hours(1))).statement().empty());
}

TEST_F(RevocationsTest, DamageDoesNotMakeItForget) {
  ASSERT_TRUE(write_file(file(), as_bytes("no list at all")));
  const auto opened = Revocations::open(file(), authority_.public_key());
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code(), Code::kDataLoss);
}

} // namespace
} // namespace tcfdl::wire
