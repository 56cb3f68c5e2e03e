// Records of a protected hop: every frame sealed under a key of its direction, its place and its task.
#pragma once

#include "base/deadline.hpp"
#include "crypto/aead.hpp"
#include "crypto/hash.hpp"
#include "wire/connection.hpp"

#include <optional>

namespace tcfdl::wire {

/// The 16 bytes of a task's UUID; zeros before the first task.
using HopTask = std::array<std::uint8_t, 16>;

/// INVALID_ARGUMENT for a text that is no UUID in lower case.
Result<HopTask> hop_task(std::string_view task_id);

/// The two directions of a hop; each has keys of its own.
enum class HopDirection : std::uint8_t { kRequest = 1, kResult = 2 };

/// What a record has beside its content: key number (4, big endian), task (16), tag (16).
constexpr std::size_t kHopRecordOverhead = 4 + 16 + crypto::kAeadTagSize;
/// The longest content of a record, bytes.
constexpr std::size_t kLargestHopRecord = kMaxFrame - kHopRecordOverhead;

/// The secret of one direction, from which its record keys come one after the other.
using HopSecret = crypto::SecretArray<32>;

/// When the sealing side takes the next key.
struct HopLimits {
  std::uint64_t records = std::uint64_t{1} << 16U; ///< sealed with one key; 4 GiB in full segments
  std::chrono::seconds age{60};                    ///< of a key that still seals
};

/// The keys of one direction: record key ‖ nonce base = HKDF(secret, 'tcfdl/1/hse/record'), then secret =
/// HKDF(secret, 'tcfdl/1/hse/rekey'). Movable; one thread at a time.
class HopKeySchedule {
public:
  HopKeySchedule(HopDirection direction, HopSecret secret);

  /// The key after this one.
  [[nodiscard]] HopKeySchedule next() const;

  [[nodiscard]] std::uint32_t number() const noexcept { return number_; }
  [[nodiscard]] crypto::AeadKey& key() noexcept { return key_; }
  [[nodiscard]] crypto::AeadNonce nonce(std::uint64_t place) const noexcept;
  [[nodiscard]] HopDirection direction() const noexcept { return direction_; }

private:
  HopKeySchedule(HopDirection direction, HopSecret secret, std::uint32_t number);

  HopDirection direction_;
  HopSecret secret_;
  std::uint32_t number_;
  crypto::AeadNonce base_{};
  crypto::AeadKey key_;
};

/// Seals the records of one direction. Movable; one thread at a time.
class HopSealer {
public:
  HopSealer(HopDirection direction, HopSecret secret, HopLimits limits = {});

  /// Replaces `record` by the sealed form of `content`. INVALID_ARGUMENT for more than `kLargestHopRecord`.
  Status seal(FrameKind kind, const HopTask& task, BytesView content, Bytes& record);

  /// Records sealed so far.
  [[nodiscard]] std::uint64_t count() const noexcept { return place_; }
  /// Of the key that seals now; 0 at first.
  [[nodiscard]] std::uint32_t key_number() const noexcept { return keys_.number(); }

private:
  HopKeySchedule keys_;
  HopLimits limits_;
  std::uint64_t place_ = 0;
  std::uint64_t with_key_ = 0;
  Deadline renewal_;
};

/// Opens the records of one direction, in order. Movable; one thread at a time.
class HopOpener {
public:
  HopOpener(HopDirection direction, HopSecret secret) : keys_(direction, std::move(secret)) {}

  /// Replaces `content` by what the record holds and returns its task. UNAUTHENTICATED for a record that was changed,
  /// repeated, left out, moved, or is of another direction, kind, task or hop: the hop is over then.
  /// FAILED_PRECONDITION after such a failure.
  Result<HopTask> open(FrameKind kind, BytesView record, Bytes& content);

  /// Records opened so far.
  [[nodiscard]] std::uint64_t count() const noexcept { return place_; }

private:
  Result<HopTask> try_open(FrameKind kind, BytesView record, Bytes& content);

  HopKeySchedule keys_;
  std::uint64_t place_ = 0;
  bool failed_ = false;
};

/// Which task a direction's records may name: a message begins a task, then come its segments, the last one ends its
/// body, and only then may another begin. One thread at a time.
class HopTaskOrder {
public:
  /// UNAUTHENTICATED for a record in the wrong place.
  Status check(FrameKind kind, const HopTask& task);

  [[nodiscard]] const HopTask& current() const noexcept { return current_; }

private:
  HopTask current_{};
  bool in_body_ = false;
};

} // namespace tcfdl::wire
