#include "base/trace_context.hpp"

#include <gtest/gtest.h>

namespace tcfdl {
namespace {

constexpr const char* kGood = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

TEST(TraceContext, ReadsAndWritesVersionZero) {
  const auto context = TraceContext::parse(kGood);
  ASSERT_TRUE(context);
  EXPECT_TRUE(context->sampled);
  EXPECT_EQ(context->trace_text(), "4bf92f3577b34da6a3ce929d0e0e4736");
  EXPECT_EQ(context->traceparent(), kGood);
}

TEST(TraceContext, PassesOnNoFlagButSampled) {
  const auto context = TraceContext::parse("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-fe");
  ASSERT_TRUE(context);
  EXPECT_FALSE(context->sampled);
  EXPECT_TRUE(context->traceparent().ends_with("-00"));
}

TEST(TraceContext, IgnoresWhatIsNoTraceparent) {
  const std::string good = kGood;
  const std::vector<std::string> bad{
      "",
      good.substr(0, 54),
      good + "-",
      good + "x",
      "ff" + good.substr(2),
      "0x" + good.substr(2),
      "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", // upper case
      "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
      "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
      "00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01",
      "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
      "00-4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7-01",
      "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7_01",
      "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0g",
  };
  for (const auto& text : bad) EXPECT_FALSE(TraceContext::parse(text)) << text;
}

TEST(TraceContext, ReadsLaterVersionsAsFarAsItKnowsThem) {
  const std::string later = "cc" + std::string(kGood).substr(2);
  EXPECT_TRUE(TraceContext::parse(later));
  EXPECT_TRUE(TraceContext::parse(later + "-what-comes-later"));
  EXPECT_FALSE(TraceContext::parse(later + "x"));
}

TEST(Tracestate, IsAListOfKeysAndValues) {
  EXPECT_TRUE(is_tracestate("congo=t61rcWkgMzE"));
  EXPECT_TRUE(is_tracestate("rojo=00f067aa0ba902b7 , ,congo=a b"));
  EXPECT_TRUE(is_tracestate("fw529a3039@dt=FfAAAABB/-_*"));
  for (const auto* bad : {"", ",", "congo", "=x", "Congo=x", "congo=", "congo=a=b", "congo=\x01", "co ngo=x"}) {
    EXPECT_FALSE(is_tracestate(bad)) << bad;
  }
}

TEST(Tracestate, IsBounded) {
  std::string members;
  for (int i = 0; i < 32; ++i) members += "k" + std::to_string(i) + "=v,";
  members.pop_back();
  EXPECT_TRUE(is_tracestate(members));
  EXPECT_FALSE(is_tracestate(members + ",one=more"));
  EXPECT_FALSE(is_tracestate("k=" + std::string(511, 'v')));
}

} // namespace
} // namespace tcfdl
