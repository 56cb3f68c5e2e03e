#include "http/admission.hpp"

#include <gtest/gtest.h>

namespace tcfdl::http {
namespace {

class AdmissionTest : public testing::Test {
protected:
  AdmissionTest() {
    EXPECT_TRUE(router.add(
        "POST", "/v1/x", {.handler = [](const Request&) { return Response(); }, .stream_handler = {}, .options = {}}));
    settings.authenticate = single_token("secret");
    settings.max_body = 10;
    head.method = "POST";
    head.target = "/v1/x";
    head.headers.add("Host", "x");
    head.headers.add("Authorization", "Bearer secret");
  }
  /// The status of the answer; 0 when a handler is to run.
  int status() {
    const auto admission = admit(head, router, settings);
    return admission.answer ? admission.answer->status : 0;
  }
  Router router;
  ServerSettings settings;
  Head head;
};

TEST_F(AdmissionTest, AdmitsWhatIsInOrder) {
  head.length = 10;
  EXPECT_EQ(status(), 0);
  head.headers.set("authorization", "bEARER secret");
  EXPECT_EQ(status(), 0);
}

TEST_F(AdmissionTest, AnEmptyTokenMatchesNothing) {
  settings.authenticate = single_token("");
  for (const auto* value : {"Bearer ", "Bearer secret", "Bearer", ""}) {
    head.headers.set("Authorization", value);
    EXPECT_EQ(status(), 401) << value;
  }
}

TEST_F(AdmissionTest, RefusesTwoAuthorizations) {
  head.headers.add("Authorization", "Bearer secret");
  EXPECT_EQ(status(), 401);
}

TEST_F(AdmissionTest, ChecksTheTokenBeforeItTellsPathMethodOrSize) {
  head.headers.erase("Authorization");
  head.length = 11;
  EXPECT_EQ(status(), 401);
  head.method = "DELETE";
  EXPECT_EQ(status(), 401);
  head.target = "/v1/y";
  EXPECT_EQ(status(), 401);
}

TEST_F(AdmissionTest, RefusesTransferCodingsOfOldPeersAndBesidesALength) {
  head.headers.add("Transfer-Encoding", "chunked");
  EXPECT_EQ(status(), 0);
  head.length = 3;
  EXPECT_EQ(status(), 400);
  head.length.reset();
  head.version = 10;
  EXPECT_EQ(status(), 400);
  head.version = 11;
  head.headers.add("Transfer-Encoding", "chunked");
  EXPECT_EQ(status(), 400);
}

} // namespace
} // namespace tcfdl::http
