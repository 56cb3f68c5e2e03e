// What clients may call, changed while they call.
#include "sdk/context.hpp"
#include "sdk/task_manager_client.hpp"
#include "support/platform.hpp"

#include <gmock/gmock.h>
#include <tcfdl/client.hpp>

namespace tcfdl::test {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;

class Grants : public testing::Test {
protected:
  void SetUp() override {
    ASSERT_EQ(platform_.up(), "");
    for (const auto* name : {"echo", "lanes/echo"}) {
      const auto deployed = platform_.deploy(name, "examples-echo", "idempotent: true\nprotection: [eae, hse]\n");
      ASSERT_EQ(deployed.exit_code, 0) << deployed.err;
    }
    const auto enrolled = platform_.enrol("bob", {"echo"});
    ASSERT_EQ(enrolled.exit_code, 0) << enrolled.err;
  }

  static Result<CallResult> call(Client& client, const std::string& function, Protection protection) {
    CallOptions options;
    options.timeout = seconds(10);
    options.protection = protection;
    return client.call(function, as_bytes("x"), options);
  }
  static std::string certificate_of_bob() { return sdk::load_context("bob").value().certificate; }

  Platform platform_;
};

TEST_F(Grants, AreGivenAndTakenBackWhileTheClientIsConnected) {
  auto bob = Client::connect("bob").value();
  for (const auto protection : {Protection::kEae, Protection::kHse}) {
    ASSERT_TRUE(call(*bob, "echo", protection));
    const auto refused = call(*bob, "lanes/echo", protection);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), Code::kPermissionDenied);
    const auto before = certificate_of_bob();

    const auto given = platform_.json({"grant", "add", "bob", "lanes/*"});
    ASSERT_TRUE(given.is_object());
    EXPECT_EQ(given["grants"], Json::array({"echo", "lanes/*"}));
    const auto began = std::chrono::steady_clock::now();
    EXPECT_TRUE(eventually([&] { return bool(call(*bob, "lanes/echo", protection)); }));
    EXPECT_LT(std::chrono::steady_clock::now() - began, seconds(2));
    EXPECT_NE(certificate_of_bob(), before) << "the context has the certificate of now, for the next process";
    EXPECT_TRUE(call(*Client::connect("bob").value(), "lanes/echo", protection));

    ASSERT_EQ(platform_.tcfdl({"grant", "remove", "bob", "lanes/*"}).exit_code, 0);
    EXPECT_TRUE(eventually([&] { return !call(*bob, "lanes/echo", protection); }));
    const auto taken = call(*bob, "lanes/echo", protection);
    ASSERT_FALSE(taken);
    EXPECT_EQ(taken.error().code(), Code::kPermissionDenied) << taken.error().to_string();
    EXPECT_TRUE(call(*bob, "echo", protection)) << "the rest stays";
  }
  EXPECT_THAT(platform_.tcfdl({"audit"}).out, HasSubstr("/v1/grants"));
}

TEST_F(Grants, AnOldCertificateIsExchangedForTheOneOfNowAndNotForMore) {
  const auto old = sdk::load_context("bob").value();
  ASSERT_EQ(platform_.tcfdl({"grant", "remove", "bob", "echo"}).exit_code, 0);
  ASSERT_EQ(platform_.tcfdl({"grant", "add", "bob", "lanes/echo"}).exit_code, 0);
  EXPECT_TRUE(eventually([&] {
    return sdk::save_context(old, false) && call(*Client::connect("bob").value(), "lanes/echo", Protection::kEae);
  }));
  ASSERT_TRUE(sdk::save_context(old, false));
  EXPECT_FALSE(call(*Client::connect("bob").value(), "echo", Protection::kEae));
}

struct Nowhere final : BodyWriter {
  Status write(BytesView) override { return {}; }
};

TEST_F(Grants, DoNotOpenTheStoreOfPrograms) {
  const auto bob = sdk::load_context("bob").value();
  const auto identity = sdk::identity_of(bob).value();
  sdk::TaskManagerClient door(sdk::connector_to(wire::parse_address(bob.tasks_address).value()), bob.tasks_token,
                              identity);
  Nowhere out;
  const auto fetched = door.fetch_file(std::string(64, '0'), out, Deadline::after(seconds(20)));
  ASSERT_FALSE(fetched);
  EXPECT_EQ(fetched.error().code(), Code::kPermissionDenied) << fetched.error().to_string();
}

TEST_F(Grants, AreShownAndWrongOnesAreRefusedWithTheReason) {
  const auto listed = platform_.tcfdl({"grant", "list"});
  EXPECT_THAT(listed.out, HasSubstr("bob"));
  EXPECT_THAT(listed.out, HasSubstr("echo"));
  const auto nobody = platform_.tcfdl({"grant", "add", "nobody", "echo"});
  EXPECT_EQ(nobody.exit_code, 1);
  EXPECT_THAT(nobody.err, HasSubstr("no client is enrolled as nobody"));
  const auto missing = platform_.tcfdl({"grant", "remove", "bob", "plates/read"});
  EXPECT_EQ(missing.exit_code, 1);
  EXPECT_THAT(missing.err, HasSubstr("it has: echo"));
  EXPECT_THAT(platform_.tcfdl({"grant", "add", "bob", "No Name"}).err, HasSubstr("INVALID_ARGUMENT"));
  EXPECT_EQ(platform_.tcfdl({"grant", "add", "bob"}).exit_code, 2);
}

} // namespace
} // namespace tcfdl::test
