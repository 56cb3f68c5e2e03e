#include "wire/tracing.hpp"

#include "base/encoding.hpp"
#include "base/log.hpp"
#include "crypto/random.hpp"

#include <algorithm>
#include <map>
#include <pthread.h>

namespace tcfdl::wire {
namespace {

std::int64_t unix_nanos() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

/// Whether a span of another process has ids and is of a reasonable size.
bool is_span(const Span& span) {
  constexpr std::size_t kLargest = 2048;
  return span.trace_id().size() == 16 && span.span_id().size() == 8 &&
         (span.parent_id().empty() || span.parent_id().size() == 8) && span.ByteSizeLong() <= kLargest;
}

template <std::size_t Size> std::string as_field(const std::array<std::uint8_t, Size>& id) {
  return {id.begin(), id.end()};
}

} // namespace

TraceContext begin_trace(const std::string& uuid, SpanSink* sink) {
  TraceContext context;
  auto digits = uuid;
  std::erase(digits, '-');
  const auto bytes = from_hex(digits);
  if (bytes && bytes->size() == context.trace_id.size()) std::ranges::copy(*bytes, context.trace_id.begin());
  if (context.trace_id == decltype(context.trace_id){}) context.trace_id = crypto::random_array<16>();
  context.span_id = crypto::random_array<8>();
  context.sampled = sink != nullptr && sink->samples();
  return context;
}

OpenSpan::OpenSpan(SpanSink* sink, const TraceContext& parent, std::string name, SpanKind kind, bool begins)
    : sink_(parent.sampled ? sink : nullptr), context_(parent) {
  if (sink_ == nullptr) return;
  if (!begins) {
    span_.set_parent_id(as_field(parent.span_id));
    context_.span_id = crypto::random_array<8>();
  }
  span_.set_trace_id(as_field(context_.trace_id));
  span_.set_span_id(as_field(context_.span_id));
  span_.set_name(std::move(name));
  span_.set_kind(kind);
  span_.set_start_ns(unix_nanos());
}

void OpenSpan::set(const std::string& name, std::string value) {
  if (sink_ != nullptr) (*span_.mutable_attributes())[name] = std::move(value);
}

void OpenSpan::set_code(std::uint32_t code) {
  if (sink_ != nullptr) span_.set_code(code);
}

void OpenSpan::set_outcome(const Status& status) {
  set_code(status ? 0 : static_cast<std::uint32_t>(status.error().code()));
}

void OpenSpan::end() {
  auto* sink = std::exchange(sink_, nullptr);
  if (sink == nullptr) return;
  span_.set_end_ns(unix_nanos());
  sink->record(std::move(span_));
}

SpanBuffer::SpanBuffer(SpanBufferSettings settings, Send send)
    : settings_(std::move(settings)), send_(std::move(send)), thread_([this] { run(); }) {
  ::pthread_setname_np(thread_.native_handle(), "spans");
}

SpanBuffer::~SpanBuffer() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

bool SpanBuffer::samples() {
  if (settings_.sampling >= 1) return true;
  const auto draw = crypto::random_array<2>();
  return (draw[0] * 256 + draw[1]) / 65536.0 < settings_.sampling;
}

void SpanBuffer::add(const std::string& service, Span span) {
  const std::scoped_lock lock(mutex_);
  if (waiting_.size() >= settings_.most_waiting) {
    ++counts_.dropped;
    return;
  }
  waiting_.push_back({service, std::move(span)});
  if (waiting_.size() >= settings_.batch) wake_.notify_all();
}

void SpanBuffer::take(const std::string& service, const Spans& spans) {
  for (const auto& span : spans.spans()) {
    if (is_span(span)) add(service, span);
  }
}

SpanCounts SpanBuffer::counts() const {
  const std::scoped_lock lock(mutex_);
  return counts_;
}

void SpanBuffer::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_ || !waiting_.empty()) {
    wake_.wait_for(lock, settings_.every, [this] { return stopping_ || waiting_.size() >= settings_.batch; });
    const auto end = waiting_.begin() + static_cast<std::ptrdiff_t>(std::min(waiting_.size(), settings_.batch));
    std::deque<Waiting> batch(std::make_move_iterator(waiting_.begin()), std::make_move_iterator(end));
    waiting_.erase(waiting_.begin(), end);
    lock.unlock();
    const bool gone = batch.empty() || send(std::move(batch));
    lock.lock();
    if (gone || !stopping_) continue;
    counts_.dropped += waiting_.size();
    waiting_.clear();
  }
}

bool SpanBuffer::send(std::deque<Waiting> batch) {
  bool all_sent = true;
  std::map<std::string, Spans> by_service;
  for (auto& [service, span] : batch) *by_service[service].add_spans() = std::move(span);
  for (auto& [service, spans] : by_service) {
    spans.set_service(service);
    const auto sent = send_(spans);
    if (!sent) spdlog::debug("{} spans are lost: {}", spans.spans_size(), sent.error().to_string());
    const std::scoped_lock lock(mutex_);
    (sent ? counts_.sent : counts_.dropped) += static_cast<std::uint64_t>(spans.spans_size());
    all_sent = all_sent && sent;
  }
  return all_sent;
}

} // namespace tcfdl::wire
