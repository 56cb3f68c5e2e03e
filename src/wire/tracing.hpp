// Spans of traces: how a process times what it does for a call, and hands it on. docs/tracing.md.
#pragma once

#include "base/trace_context.hpp"
#include "wire/proto/trace.pb.h"

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <tcfdl/result.hpp>
#include <thread>

namespace tcfdl::wire {

/// Where finished spans go. Any thread; it does not block.
class SpanSink {
public:
  virtual ~SpanSink() = default;
  virtual void record(Span span) = 0;
  /// Whether a trace that begins here is to be recorded; asked once a trace.
  virtual bool samples() = 0;
};

/// A trace that begins here. `id`: 16 bytes, not all zero, as those of a task's UUID; another id is drawn in place of
/// one that is not.
TraceContext begin_trace(const std::string& uuid, SpanSink* sink);

/// A span from its construction to its end. Of one thread. Where there is no sink, or the trace is not sampled, nothing
/// is recorded and what is done belongs to the span that it was given.
class OpenSpan {
public:
  /// `begins`: the trace begins with this span, so it has no parent.
  OpenSpan(SpanSink* sink, const TraceContext& parent, std::string name, SpanKind kind, bool begins = false);
  OpenSpan(const OpenSpan&) = delete;
  OpenSpan& operator=(const OpenSpan&) = delete;
  ~OpenSpan() { end(); }

  [[nodiscard]] bool records() const noexcept { return sink_ != nullptr; }
  /// Of what is done within it.
  [[nodiscard]] const TraceContext& context() const noexcept { return context_; }
  /// Names and values are short and no data of tasks.
  void set(const std::string& name, std::string value);
  void set_outcome(const Status& status);
  void set_code(std::uint32_t code);
  void end();

private:
  SpanSink* sink_; // nullptr: nothing is recorded (any more)
  TraceContext context_;
  Span span_;
};

struct SpanBufferSettings {
  std::string service;             ///< the process, where a span comes without one
  double sampling = 1;             ///< the share of traces that begin here which are recorded
  std::size_t most_waiting = 4096; ///< spans; those that come while so many wait are dropped
  std::size_t batch = 256;         ///< spans that are sent together
  std::chrono::milliseconds every{500};
};

/// What became of the spans that came.
struct SpanCounts {
  std::uint64_t sent = 0;
  std::uint64_t dropped = 0; ///< there was no room, or they could not be sent
};

/// Collects spans and sends them in batches, on a thread of its own. Destructor = stop: what waits is sent until that
/// fails once.
class SpanBuffer final : public SpanSink {
public:
  /// Called on the buffer's thread; what it fails to send is lost.
  using Send = std::function<Status(const Spans&)>;

  SpanBuffer(SpanBufferSettings settings, Send send);
  SpanBuffer(const SpanBuffer&) = delete;
  SpanBuffer& operator=(const SpanBuffer&) = delete;
  ~SpanBuffer() override;

  void record(Span span) override { add(settings_.service, std::move(span)); }
  bool samples() override;
  /// Spans of another process, which is not trusted: those that are no spans or too large are dropped.
  void take(const std::string& service, const Spans& spans);
  [[nodiscard]] SpanCounts counts() const;

private:
  struct Waiting {
    std::string service;
    Span span;
  };
  void add(const std::string& service, Span span);
  void run();
  bool send(std::deque<Waiting> batch);

  const SpanBufferSettings settings_;
  const Send send_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Waiting> waiting_; // guarded by mutex_, as are those below
  SpanCounts counts_;
  bool stopping_ = false;
  std::thread thread_;
};

} // namespace tcfdl::wire
