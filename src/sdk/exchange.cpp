#include "sdk/exchange.hpp"

#include "crypto/random.hpp"
#include "wire/receipt.hpp"

#include <thread>

namespace tcfdl::sdk {
namespace {

constexpr std::uint64_t kLargestResult = std::uint64_t{4} << 30U;
constexpr std::uint64_t kLongestErrorText = 64UL * 1024;

std::optional<crypto::StreamKeys> keys_for(const ReadyCapsule* capsule, std::span<const std::uint8_t, 32> salt,
                                           std::string_view direction, BytesView header) {
  if (capsule == nullptr) return std::nullopt;
  return crypto::derive_stream_keys(capsule->secret.key.span(), salt, direction, header);
}

/// One exchange in progress.
class Exchange {
public:
  Exchange(InstanceConnection& instance, const ExchangeInput& input, ExchangeOutput& output)
      : instance_(instance), connection_(*instance.connection), input_(input), output_(output) {}

  Status send(RequestBody& body) {
    sent_ = true;
    TCFDL_TRY(send_head(body.size().value_or(0) > 0));
    auto keys = keys_for(input_.capsule, salt_, wire::kRequestDirection, as_bytes(header_));
    wire::SegmentWriter writer(connection_, std::move(keys), input_.deadline);
    TCFDL_TRY(body.send(writer));
    return writer.finish();
  }

  /// `accept_by`: when the first reply must be there.
  Status receive(ResultSink& result, Deadline accept_by) {
    for (;;) {
      const auto until = output_.accepted ? input_.deadline : accept_by;
      const auto received = wire::receive_message<wire::TaskReply>(connection_, until);
      if (!received) return no_reply(received.error());
      const auto& reply = *received;
      if (reply.has_refused()) {
        output_.in_step = true;
        return wire::to_error(reply.refused());
      }
      if (reply.has_result()) return receive_result(reply.result(), result);
      if (!reply.has_accepted()) return Error(Code::kInternal, "the instance sent an unknown reply");
      output_.accepted = true;
      instance_.proven = true; // a refusal may have come before the proof was looked at
      if (input_.capsule != nullptr) instance_.capsules.insert(input_.capsule->header.capsule_id());
    }
  }

  /// What is sent over a local socket arrives although its sender dies: then no reply means that nothing began.
  [[nodiscard]] bool may_begin() const {
    return sent_ && !output_.accepted && !output_.in_step && (silent_ || instance_.way != "local");
  }

private:
  Error no_reply(const Error& error) {
    if (error.code() != Code::kDeadlineExceeded) return error;
    silent_ = true;
    if (input_.deadline.expired()) return error;
    return make_error(Code::kUnavailable, "{} has not answered for {} ms", input_.grant.instance(),
                      input_.accept_within.count());
  }

  /// `with_body`: the body follows at once.
  Status send_head(bool with_body) {
    const auto start = Deadline::Clock::now();
    wire::TaskRequest request;
    if (!input_.goes_on) {
      *request.mutable_lease() = input_.grant.lease();
      *request.mutable_master_certificate() = input_.grant.master_certificate();
    }
    header_ = input_.header.SerializeAsString();
    request.set_sealed_header(header_);
    request.set_attempt(input_.attempt);
    request.set_way(instance_.way);
    request.set_traceparent(std::string(input_.traceparent));
    request.set_tracestate(std::string(input_.tracestate));
    request.set_remaining_ms(static_cast<std::uint32_t>(input_.deadline.left_millis()));
    if (input_.capsule != nullptr) {
      salt_ = crypto::random_array<crypto::kSaltSize>();
      request.set_salt(wire::field(salt_));
      if (!instance_.capsules.contains(input_.capsule->header.capsule_id())) {
        *request.mutable_capsule() = input_.capsule->capsule;
      }
    }
    if (!instance_.proven) {
      request.set_possession(
          wire::field(wire::sign_labelled(input_.identity.signing, "Possession",
                                          {as_bytes(instance_.hello.nonce()), as_bytes(instance_.hello.name())})));
    }
    output_.seal_us += micros_since(start);
    if (with_body) return wire::send_head(connection_, request, input_.deadline);
    return wire::send_message(connection_, request, input_.deadline);
  }

  Status check(const wire::ResultHeader& header) const {
    if (header.code() == 0 && header.receipt() != input_.header.receipt()) {
      return Error(Code::kUnauthenticated, input_.header.receipt() ? "the result has no receipt, which was asked for"
                                                                   : "the result has a receipt that nobody wanted");
    }
    if (header.task_id() == input_.header.task_id() && header.instance() == input_.grant.instance() &&
        header.capsule_id() == input_.header.capsule_id()) {
      return {};
    }
    return make_error(Code::kUnauthenticated, "the result is of task {} at {}, not of {} at {}", header.task_id(),
                      header.instance(), input_.header.task_id(), input_.grant.instance());
  }

  Status receive_result(const wire::ResultHead& head, ResultSink& result) {
    TCFDL_ASSIGN(const auto header, wire::parse<wire::ResultHeader>(head.header()));
    TCFDL_TRY(check(header));
    std::array<std::uint8_t, crypto::kSaltSize> salt{};
    if (input_.capsule != nullptr && head.salt().size() != salt.size()) {
      return Error(Code::kUnauthenticated, "the result has no salt");
    }
    std::copy_n(head.salt().begin(), std::min(head.salt().size(), salt.size()), salt.begin());
    auto keys = keys_for(input_.capsule, salt, wire::kResultDirection, as_bytes(head.header()));
    const auto limit = header.code() == 0 ? kLargestResult : kLongestErrorText;
    wire::SegmentReader reader(connection_, std::move(keys), input_.deadline, limit);
    const auto start = Deadline::Clock::now();
    if (header.code() != 0) {
      TCFDL_ASSIGN(const auto text, reader.read_all());
      output_.in_step = output_.answered = true;
      return Error(code_from_number(header.code()), std::string(as_text(text)));
    }
    TCFDL_TRY(copy(reader, result));
    if (header.receipt()) TCFDL_TRY(receive_receipt(head, salt));
    output_.open_us += micros_since(start);
    output_.run_us = header.run_us();
    output_.in_step = true;
    return {};
  }

  /// The receipt is a stream of its own after the result's.
  Status receive_receipt(const wire::ResultHead& head, std::span<const std::uint8_t, crypto::kSaltSize> salt) {
    wire::SegmentReader reader(connection_,
                               keys_for(input_.capsule, salt, wire::kReceiptDirection, as_bytes(head.header())),
                               input_.deadline, wire::kMaxReceipt);
    auto receipt = reader.read_all();
    if (!receipt) return receipt.error().within("the receipt");
    output_.receipt = *std::move(receipt);
    return {};
  }

  static Status copy(wire::SegmentReader& reader, ResultSink& result) {
    Bytes piece(crypto::kSegmentSize);
    for (;;) {
      TCFDL_ASSIGN(const auto size, reader.read(piece));
      if (size == 0) return {};
      TCFDL_TRY(result.write(BytesView(piece).first(size)));
    }
  }

  InstanceConnection& instance_;
  wire::Connection& connection_;
  const ExchangeInput& input_;
  ExchangeOutput& output_;
  std::string header_;
  bool sent_ = false; // or begun to be
  bool silent_ = false;
  std::array<std::uint8_t, crypto::kSaltSize> salt_{};
};

} // namespace

Status exchange_task(InstanceConnection& instance, const ExchangeInput& input, RequestBody& body, ResultSink& result,
                     ExchangeOutput& output) {
  const auto start = Deadline::Clock::now();
  Exchange exchange(instance, input, output);
  Status sent;
  Status received;
  if (body.size().value_or(kLargestResult) <= crypto::kSegmentSize) {
    sent = exchange.send(body);
    output.seal_us = micros_since(start);
    const bool bounded = input.accept_within.count() > 0;
    received = exchange.receive(result, bounded ? input.deadline.earlier(Deadline::after(input.accept_within))
                                                : input.deadline);
  } else {
    // A handler may answer while it still reads: send and receive side by side, or both sides could wait for ever.
    std::jthread sender([&] {
      sent = exchange.send(body);
      output.seal_us = micros_since(start);
      if (!sent) instance.connection->shutdown();
    });
    received = exchange.receive(result, input.deadline);
    if (!received && !output.in_step) instance.connection->shutdown();
  }
  output.total_us = micros_since(start);
  output.may_begin = !received && exchange.may_begin();
  // The body's own failure broke the connection: it says more than that the connection broke.
  if (!received && !sent && received.error().code() == Code::kUnavailable &&
      (!output.accepted || sent.error().code() != Code::kUnavailable)) {
    return sent;
  }
  return received;
}

} // namespace tcfdl::sdk
