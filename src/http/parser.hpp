// Beast's incremental HTTP/1.1 parser, set to this module's limits. Internal: included by source files only.
#pragma once

#include "http/message.hpp"

#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <limits>

namespace tcfdl::http {

namespace beast = boost::beast;
using ErrorCode = beast::error_code;

struct ParserLimits {
  std::uint32_t header_bytes = 16U << 10U;
  std::size_t header_fields = 100;
  std::uint64_t body_bytes = std::numeric_limits<std::uint64_t>::max();
};

/// Takes bytes in pieces and holds the head and that part of the body that nobody took yet.
template <bool IsRequest> class Parser final : public beast::http::basic_parser<IsRequest> {
public:
  using Base = beast::http::basic_parser<IsRequest>;

  explicit Parser(const ParserLimits& limits) : limits_(limits) {
    this->header_limit(limits.header_bytes);
    this->body_limit(boost::none);
    this->eager(false);
  }

  /// Parses what it can of `pending`, which it takes from the front. No error: more bytes are needed or a stage ended.
  ErrorCode feed(Bytes& pending) {
    std::size_t used = 0;
    ErrorCode ec;
    while (used < pending.size() && !this->is_done()) {
      const bool head = !this->is_header_done();
      used += this->put(boost::asio::const_buffer(pending.data() + used, pending.size() - used), ec);
      if (ec || (head && this->is_header_done())) break;
    }
    pending.erase(pending.begin(), pending.begin() + static_cast<std::ptrdiff_t>(used));
    if (ec != beast::http::error::need_more) return ec;
    // Only a head, a chunk's head or trailers wait for more of what they have.
    return pending.size() > limits_.header_bytes ? make_error_code(beast::http::error::header_limit) : ErrorCode();
  }

  void limit_body(std::uint64_t bytes) { limits_.body_bytes = bytes; }
  [[nodiscard]] std::uint64_t body_limit_bytes() const { return limits_.body_bytes; }
  [[nodiscard]] std::uint64_t received() const { return received_; }

  std::string method;
  std::string target;
  int status = 0;
  int version = 11;
  Headers headers;
  Bytes body;

private:
  using View = beast::string_view;

  static std::string_view view(View text) { return {text.data(), text.size()}; }

  void on_request_impl(beast::http::verb, View name, View path, int number, ErrorCode&) override {
    method = view(name);
    target = view(path);
    version = number;
  }
  void on_response_impl(int code, View, int number, ErrorCode&) override {
    status = code;
    version = number;
  }
  void on_field_impl(beast::http::field, View name, View value, ErrorCode& ec) override {
    if (++fields_ > limits_.header_fields) {
      ec = beast::http::error::header_limit;
    } else if (!head_done_) { // trailers must not change a head that was checked
      headers.add(std::string(view(name)), std::string(view(value)));
    }
  }
  void on_header_impl(ErrorCode&) override { head_done_ = true; }
  void on_body_init_impl(const boost::optional<std::uint64_t>&, ErrorCode&) override {}
  std::size_t on_body_impl(View part, ErrorCode& ec) override { return take(part, ec); }
  void on_chunk_header_impl(std::uint64_t, View, ErrorCode&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, View part, ErrorCode& ec) override { return take(part, ec); }
  void on_finish_impl(ErrorCode&) override {}

  std::size_t take(View part, ErrorCode& ec) {
    if (part.size() > limits_.body_bytes - received_) {
      ec = beast::http::error::body_limit;
      return 0;
    }
    received_ += part.size();
    body.insert(body.end(), part.begin(), part.end());
    return part.size();
  }

  ParserLimits limits_;
  std::size_t fields_ = 0;
  std::uint64_t received_ = 0;
  bool head_done_ = false;
};

} // namespace tcfdl::http
