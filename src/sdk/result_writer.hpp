// A task's result on its connection: the head with the first piece, then sealed segments.
#pragma once

#include "crypto/random.hpp"
#include "wire/body.hpp"

namespace tcfdl::sdk {

class ResultWriter final : public BodyWriter {
public:
  /// `secret` nullptr: no protection. References outlive the writer.
  ResultWriter(wire::Connection& connection, const wire::SealedHeader& task, std::uint32_t attempt,
               const std::string& instance, const crypto::CapsuleSecret* secret, Deadline deadline)
      : connection_(connection), task_(task), attempt_(attempt), instance_(instance), secret_(secret),
        deadline_(deadline), start_(Deadline::Clock::now()) {}

  /// Sends the head. Called by the first `write`, `finish` or `fail` where it was not called before.
  Status begin(std::uint32_t code, std::uint64_t run_us);

  Status write(BytesView piece) override;
  /// Nothing where full segments are wanted.
  Status flush() override { return segments_ && !segments_full_ ? segments_->flush() : Status(); }

  /// Sends what is left.
  Status finish(std::uint64_t run_us);

  /// Bytes of the result so far.
  [[nodiscard]] std::uint64_t written() const noexcept { return written_; }

  /// The head of a success is to announce a receipt. Before anything is sent.
  void announce_receipt() { receipt_announced_ = true; }

  /// Segments are full whatever the handler flushes: who stores a result keeps no bounds of segments.
  void keep_segments_full() { segments_full_ = true; }

  /// Sends the receipt that was announced, after `finish`.
  Status send_receipt(BytesView receipt);

  /// Sends the error instead of a result, its text as the body. When the result has begun already nothing can be sent:
  /// the error comes back, and the connection is to be ended.
  Status fail(const Error& error, std::uint64_t run_us);

private:
  Result<wire::SegmentWriter*> open(std::uint32_t code, std::uint64_t run_us);

  wire::Connection& connection_;
  const wire::SealedHeader& task_;
  std::uint32_t attempt_;
  const std::string& instance_;
  const crypto::CapsuleSecret* secret_;
  Deadline deadline_;
  Deadline::Clock::time_point start_;
  bool receipt_announced_ = false;
  bool segments_full_ = false;
  std::uint64_t written_ = 0;
  std::optional<crypto::StreamKeys> receipt_keys_; // once the result has begun
  std::optional<wire::SegmentWriter> segments_;    // likewise
};

} // namespace tcfdl::sdk
