// Bodies on a connection: cut into segments, sealed when there is a key, checked as they come.
#pragma once

#include "crypto/sealing.hpp"
#include "wire/messages.hpp"

#include <cstdlib>
#include <optional>
#include <tcfdl/client.hpp>

namespace tcfdl::wire {

/// The directions of sealed streams; each has keys of its own.
constexpr std::string_view kRequestDirection = "request";
constexpr std::string_view kResultDirection = "result";

/// Writes one body as segments. Without keys the segments are the plaintext.
class SegmentWriter final : public BodyWriter {
public:
  SegmentWriter(Connection& connection, std::optional<crypto::StreamKeys> keys, Deadline deadline);

  /// Buffers up to a segment; sends full ones. FAILED_PRECONDITION after `finish`.
  Status write(BytesView piece) override;

  /// Sends what is buffered as a segment of its own.
  Status flush() override;

  /// Sends what is left as the last segment.
  Status finish();

private:
  Status send(BytesView plaintext, bool last);

  Connection& connection_;
  std::optional<crypto::SegmentSealer> sealer_;
  Deadline deadline_;
  Bytes pending_; // less than a segment, or a whole one that may be the last
  Bytes sealed_;
  bool finished_ = false;
};

/// Sends a whole body.
Status send_body(Connection& connection, std::optional<crypto::StreamKeys> keys, BytesView body, Deadline deadline);

/// A body that arrives: bytes that grow without being cleared, and for large ones without being copied.
class BodyBuffer {
public:
  /// Room for more bytes at the end, with any content. It replaces what was not kept of the room before.
  [[nodiscard]] std::span<std::uint8_t> extend(std::size_t size);
  /// Keeps so many bytes of the room.
  void keep(std::size_t size) noexcept { size_ += size; }
  [[nodiscard]] BytesView view() const noexcept { return {bytes_.get(), size_}; }

private:
  struct Free {
    void operator()(std::uint8_t* bytes) const noexcept { std::free(bytes); }
  };
  std::unique_ptr<std::uint8_t, Free> bytes_;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

/// Reads one body segment by segment. Without keys the segments are the plaintext.
class SegmentReader final : public BodyReader {
public:
  /// `limit`: the most bytes of the body; RESOURCE_EXHAUSTED beyond.
  SegmentReader(Connection& connection, std::optional<crypto::StreamKeys> keys, Deadline deadline, std::uint64_t limit);

  Result<std::size_t> read(std::span<std::uint8_t> out) override;

  /// Reads all that is left.
  Result<Bytes> read_all();
  /// The same for a body of which nothing was read.
  Result<BodyBuffer> read_body();

  /// Receives and drops all that is left, so that the connection can carry the next task.
  Status drain();

  /// Bytes of the body so far.
  [[nodiscard]] std::uint64_t total() const noexcept { return total_; }
  [[nodiscard]] bool at_end() const noexcept { return last_seen_ && position_ == available_; }

private:
  Result<FrameView> receive();
  Result<std::size_t> take(const FrameView& frame, std::span<std::uint8_t> out);

  Connection& connection_;
  std::optional<crypto::SegmentOpener> opener_;
  Deadline deadline_;
  std::uint64_t limit_;
  std::uint64_t total_ = 0;
  Bytes segment_; // what did not fit into what a reader gave
  std::size_t position_ = 0;
  std::size_t available_ = 0;
  bool last_seen_ = false;
};

} // namespace tcfdl::wire
