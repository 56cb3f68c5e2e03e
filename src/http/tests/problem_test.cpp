#include "http/problem.hpp"

#include "http/json.hpp"

#include <gtest/gtest.h>

namespace tcfdl::http {
namespace {

TEST(Problem, EveryCodeSurvivesTheWire) {
  for (std::uint32_t number = 1; number <= 16; ++number) {
    const Error error(code_from_number(number), "what, where, and what to do");
    const auto response = problem(error, "/v1/x");
    EXPECT_EQ(response.status, status_of(error.code()));
    EXPECT_GE(response.status, 400);
    EXPECT_EQ(response.content_type, "application/problem+json");
    EXPECT_EQ(error_of(response).code(), error.code());
    EXPECT_EQ(error_of(response).message(), error.message());
  }
}

TEST(Problem, HasTheMembersOfRfc9457) {
  const auto document = parse_json(problem(Error(Code::kNotFound, "gone"), "/v1/x").body);
  ASSERT_TRUE(document);
  EXPECT_EQ(*document, (nlohmann::json{{"type", "about:blank"},
                                       {"title", "Not Found"},
                                       {"status", 404},
                                       {"detail", "gone"},
                                       {"instance", "/v1/x"},
                                       {"code", "NOT_FOUND"}}));
}

TEST(Problem, TellsHowToComeBack) {
  EXPECT_EQ(problem(Error(Code::kUnauthenticated, "x")).headers.get("www-authenticate"), "Bearer");
  EXPECT_EQ(problem(Error(Code::kResourceExhausted, "x")).headers.get("retry-after"), "1");
}

TEST(Problem, TellsWhenToComeBack) {
  Error error(Code::kResourceExhausted, "x");
  error.set_retry_after(std::chrono::milliseconds(1200));
  const auto response = problem(error);
  EXPECT_EQ(response.headers.get("retry-after"), "2") << "whole seconds, never too early";
  EXPECT_EQ(error_of(response).retry_after(), error.retry_after());
  const auto strange = Response::of(429, "application/problem+json", R"({"code":"ABORTED","retry_after_ms":"soon"})");
  EXPECT_EQ(error_of(strange).retry_after().count(), 0);
}

TEST(Problem, CarriesTextThatIsNoUtf8) { EXPECT_FALSE(problem(Error(Code::kInternal, "\xFF")).body.empty()); }

TEST(ErrorOf, TrustsNothingInTheDocument) {
  for (const auto* body : {"", "[]", "{", R"({"code":1,"detail":[]})", R"({"code":{"a":1}})"}) {
    const auto error = error_of(Response::of(503, "application/problem+json", body));
    EXPECT_EQ(error.code(), Code::kUnavailable) << body;
  }
  const auto strange =
      error_of(Response::of(400, "application/problem+json", R"({"code":"NEWER","detail":"a\u001b[2Jb"})"));
  EXPECT_EQ(strange.code(), Code::kUnknown);
  EXPECT_EQ(strange.message(), "a?[2Jb");
  EXPECT_EQ(error_of(Response::plain(404, "x")).code(), Code::kNotFound);
}

TEST(ExpectOk, PassesSuccessAndTurnsTheRestIntoErrors) {
  EXPECT_TRUE(expect_ok(Response::plain(201, "x")));
  EXPECT_EQ(expect_ok(problem(Error(Code::kAborted, "x"))).error().code(), Code::kAborted);
}

} // namespace
} // namespace tcfdl::http
