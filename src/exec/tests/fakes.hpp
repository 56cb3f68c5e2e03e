// A task without the platform, and bodies in memory.
#pragma once

#include "base/result.hpp"

#include <algorithm>
#include <tcfdl/function.hpp>

namespace tcfdl::exec {

class FakeTask final : public TaskContext {
public:
  [[nodiscard]] const std::string& task_id() const override { return task_id_; }
  [[nodiscard]] const std::string& function() const override { return function_; }
  [[nodiscard]] const std::string& caller() const override { return caller_; }
  [[nodiscard]] const std::string& content_type() const override { return content_type_; }
  [[nodiscard]] std::string traceparent() const override { return {}; }
  [[nodiscard]] const std::string& tracestate() const override { return tracestate_; }
  [[nodiscard]] std::chrono::milliseconds time_left() const override { return time_left_; }
  [[nodiscard]] std::stop_token cancelled() const override { return stop_.get_token(); }
  Result<CallResult> call(const std::string& function, BytesView, CallOptions) override {
    return make_error(Code::kUnimplemented, "{} is not called here", function);
  }

  void cancel() { stop_.request_stop(); }
  void set_time_left(std::chrono::milliseconds left) { time_left_ = left; }

private:
  std::string task_id_ = "0190b7a0-0000-7000-8000-000000000001";
  std::string function_ = "f";
  std::string caller_ = "alice";
  std::string content_type_ = "text/plain";
  std::string tracestate_;
  std::chrono::milliseconds time_left_ = std::chrono::seconds(60);
  std::stop_source stop_;
};

/// Gives a text in pieces, then its end or an error.
class TextReader final : public BodyReader {
public:
  explicit TextReader(std::string text) : text_(std::move(text)) {}
  Result<std::size_t> read(std::span<std::uint8_t> out) override {
    if (position_ == text_.size() && failure_) return *failure_;
    const auto size = std::min(out.size(), text_.size() - position_);
    std::copy_n(text_.begin() + static_cast<std::ptrdiff_t>(position_), size, out.begin());
    position_ += size;
    return size;
  }
  void fail_at_end(Error error) { failure_ = std::move(error); }
  [[nodiscard]] std::size_t position() const { return position_; }

private:
  std::string text_;
  std::size_t position_ = 0;
  std::optional<Error> failure_;
};

/// Collects a text; calls `on_write` with all of it so far.
class TextWriter final : public BodyWriter {
public:
  Status write(BytesView piece) override {
    text_ += as_text(piece);
    if (on_write_) on_write_(text_);
    return {};
  }
  void on_write(std::function<void(const std::string&)> call) { on_write_ = std::move(call); }
  [[nodiscard]] const std::string& text() const { return text_; }

private:
  std::string text_;
  std::function<void(const std::string&)> on_write_;
};

/// `size` bytes without a short period.
inline std::string long_text(std::size_t size) {
  std::string text(size, '\0');
  std::uint32_t state = 1;
  for (auto& byte : text) byte = static_cast<char>((state = state * 1664525U + 1013904223U) >> 24U);
  return text;
}

} // namespace tcfdl::exec
