#include "wire/tracing.hpp"

#include "base/encoding.hpp"
#include "base/result.hpp"

#include <future>
#include <gmock/gmock.h>

namespace tcfdl::wire {
namespace {

class Kept final : public SpanSink {
public:
  void record(Span span) override { spans.push_back(std::move(span)); }
  bool samples() override { return sampling; }
  std::vector<Span> spans;
  bool sampling = true;
};

const auto kParent =
    TraceContext::parse("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01").value_or(TraceContext());

TEST(OpenSpan, IsAChildOfItsContextAndTheParentOfWhatIsWithin) {
  Kept kept;
  TraceContext within;
  {
    OpenSpan span(&kept, kParent, "queue", SPAN_KIND_SERVER);
    span.set("function", "f");
    span.set_outcome(Error(Code::kUnavailable, "secret words"));
    within = span.context();
  }
  ASSERT_EQ(kept.spans.size(), 1U);
  const auto& span = kept.spans[0];
  EXPECT_EQ(to_hex(as_bytes(span.trace_id())), "4bf92f3577b34da6a3ce929d0e0e4736");
  EXPECT_EQ(to_hex(as_bytes(span.parent_id())), "00f067aa0ba902b7");
  EXPECT_EQ(to_hex(as_bytes(span.span_id())), to_hex(within.span_id));
  EXPECT_NE(within.span_id, kParent.span_id);
  EXPECT_EQ(span.code(), static_cast<std::uint32_t>(Code::kUnavailable));
  EXPECT_LE(span.start_ns(), span.end_ns());
  EXPECT_EQ(span.SerializeAsString().find("secret"), std::string::npos);
}

TEST(OpenSpan, OfATraceThatIsNotSampledIsNotRecordedAndPassesOnWhatItGot) {
  Kept kept;
  auto quiet = kParent;
  quiet.sampled = false;
  EXPECT_EQ(OpenSpan(&kept, quiet, "queue", SPAN_KIND_SERVER).context(), quiet);
  EXPECT_EQ(OpenSpan(nullptr, kParent, "queue", SPAN_KIND_SERVER).context(), kParent);
  EXPECT_TRUE(kept.spans.empty());
}

TEST(OpenSpan, ThatBeginsATraceHasNoParent) {
  Kept kept;
  const auto begun = begin_trace("0190b7a0-0000-7000-8000-000000000001", &kept);
  EXPECT_EQ(begun.trace_text(), "0190b7a0000070008000000000000001");
  {
    const OpenSpan span(&kept, begun, "call", SPAN_KIND_CLIENT, true);
  }
  ASSERT_EQ(kept.spans.size(), 1U);
  EXPECT_TRUE(kept.spans[0].parent_id().empty());
  EXPECT_EQ(to_hex(as_bytes(kept.spans[0].span_id())), to_hex(begun.span_id));
}

TEST(BeginTrace, IsSampledOnlyWhereSpansGoSomewhere) {
  Kept kept;
  kept.sampling = false;
  EXPECT_FALSE(begin_trace({}, &kept).sampled);
  EXPECT_FALSE(begin_trace({}, nullptr).sampled);
  EXPECT_TRUE(TraceContext::parse(begin_trace({}, nullptr).traceparent()));
}

Span some_span() {
  Span span;
  span.set_trace_id(std::string(16, 't'));
  span.set_span_id(std::string(8, 's'));
  return span;
}

TEST(SpanBuffer, SendsWhatItHasWhenItStops) {
  std::vector<Spans> sent;
  {
    SpanBuffer buffer({.service = "worker/w", .every = std::chrono::hours(1)}, [&](const Spans& spans) -> Status {
      sent.push_back(spans);
      return {};
    });
    buffer.record(some_span());
    Spans others;
    *others.add_spans() = some_span();
    buffer.take("instance/i", others);
  }
  ASSERT_EQ(sent.size(), 2U);
  EXPECT_EQ(sent[0].service(), "instance/i");
  EXPECT_EQ(sent[1].service(), "worker/w");
}

TEST(SpanBuffer, DropsAndCountsWhatHasNoRoomWithoutWaiting) {
  std::promise<void> sending;
  std::promise<void> go_on;
  bool first = true;
  SpanBuffer buffer({.service = "worker/w", .most_waiting = 2, .batch = 1}, [&](const Spans&) -> Status {
    if (std::exchange(first, false)) {
      sending.set_value();
      go_on.get_future().wait();
    }
    return {};
  });
  buffer.record(some_span());
  sending.get_future().wait();
  for (int i = 0; i < 5; ++i) buffer.record(some_span());
  EXPECT_EQ(buffer.counts().dropped, 3U);
  go_on.set_value();
}

TEST(SpanBuffer, CountsWhatCouldNotBeSentAndStopsAtOnceThen) {
  int tries = 0;
  std::uint64_t dropped = 0;
  {
    SpanBuffer buffer({.service = "worker/w", .batch = 1, .every = std::chrono::hours(1)}, [&](const Spans&) -> Status {
      ++tries;
      return Error(Code::kUnavailable, "nobody there");
    });
    buffer.record(some_span());
    while (buffer.counts().dropped == 0) std::this_thread::yield();
    dropped = buffer.counts().dropped;
  }
  EXPECT_EQ(dropped, 1U);
  EXPECT_EQ(tries, 1);
}

TEST(SpanBuffer, TakesNothingOfOthersThatIsNoSpan) {
  std::vector<Spans> sent;
  {
    SpanBuffer buffer({}, [&](const Spans& spans) -> Status {
      sent.push_back(spans);
      return {};
    });
    Spans others;
    others.add_spans();
    *others.add_spans() = some_span();
    others.mutable_spans(1)->set_name(std::string(5000, 'n'));
    *others.add_spans() = some_span();
    others.mutable_spans(2)->set_parent_id("short");
    buffer.take("instance/i", others);
  }
  EXPECT_TRUE(sent.empty());
}

} // namespace
} // namespace tcfdl::wire
