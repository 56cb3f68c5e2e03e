#include "wire/hop_records.hpp"

#include "base/encoding.hpp"
#include "base/ids.hpp"

#include <cstring>

namespace tcfdl::wire {
namespace {

constexpr std::size_t kNumberSize = 4;
constexpr std::size_t kHeadSize = kNumberSize + sizeof(HopTask);
/// A peer that never takes another key is cut off.
constexpr std::uint64_t kMostRecordsOfAKey = std::uint64_t{1} << 24U;

void put_big_endian(std::uint64_t value, std::span<std::uint8_t> out) {
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i] = static_cast<std::uint8_t>(value >> (8U * static_cast<unsigned>(out.size() - 1 - i)));
}

/// What a record is besides its content: direction (1), kind (1), key number (4), task (16), place (8).
using AssociatedData = std::array<std::uint8_t, 2 + kHeadSize + 8>;

AssociatedData associated_data(HopDirection direction, FrameKind kind, BytesView head, std::uint64_t place) {
  AssociatedData data{};
  data[0] = static_cast<std::uint8_t>(direction);
  data[1] = static_cast<std::uint8_t>(kind);
  std::memcpy(data.data() + 2, head.data(), kHeadSize);
  put_big_endian(place, std::span(data).last(8));
  return data;
}

struct RecordKey {
  crypto::SecretArray<crypto::kAeadKeySize + crypto::kAeadNonceSize> bytes;
  [[nodiscard]] std::span<const std::uint8_t, crypto::kAeadKeySize> key() const noexcept {
    return bytes.span().first<crypto::kAeadKeySize>();
  }
};

RecordKey record_key(const HopSecret& secret) {
  RecordKey derived;
  crypto::hkdf_expand_into(secret.span(), {as_bytes("tcfdl/1/hse/record")}, derived.bytes.span());
  return derived;
}

} // namespace

Result<HopTask> hop_task(std::string_view task_id) {
  if (!is_uuid(task_id)) return make_error(Code::kInvalidArgument, "'{}' is no UUID in lower case", task_id);
  std::string digits(task_id);
  std::erase(digits, '-');
  TCFDL_ASSIGN(const auto bytes, from_hex(digits));
  HopTask task{};
  std::ranges::copy_n(bytes.begin(), task.size(), task.begin());
  return task;
}

HopKeySchedule::HopKeySchedule(HopDirection direction, HopSecret secret)
    : HopKeySchedule(direction, std::move(secret), 0) {}

HopKeySchedule::HopKeySchedule(HopDirection direction, HopSecret secret, std::uint32_t number)
    : direction_(direction), secret_(std::move(secret)), number_(number), key_(record_key(secret_).key()) {
  std::ranges::copy(record_key(secret_).bytes.span().last<crypto::kAeadNonceSize>(), base_.begin());
}

HopKeySchedule HopKeySchedule::next() const {
  HopSecret secret;
  crypto::hkdf_expand_into(secret_.span(), {as_bytes("tcfdl/1/hse/rekey")}, secret.span());
  return {direction_, std::move(secret), number_ + 1};
}

crypto::AeadNonce HopKeySchedule::nonce(std::uint64_t place) const noexcept {
  auto nonce = base_;
  std::array<std::uint8_t, 8> counter{};
  put_big_endian(place, counter);
  for (std::size_t i = 0; i < counter.size(); ++i) nonce[nonce.size() - counter.size() + i] ^= counter[i];
  return nonce;
}

HopSealer::HopSealer(HopDirection direction, HopSecret secret, HopLimits limits)
    : keys_(direction, std::move(secret)), limits_(limits), renewal_(Deadline::after(limits.age)) {}

Status HopSealer::seal(FrameKind kind, const HopTask& task, BytesView content, Bytes& record) {
  if (content.size() > kLargestHopRecord) {
    return make_error(Code::kInvalidArgument, "a record of {} bytes; a hop carries at most {}", content.size(),
                      kLargestHopRecord);
  }
  if (with_key_ > 0 && (with_key_ >= limits_.records || renewal_.expired())) {
    keys_ = keys_.next();
    with_key_ = 0;
    renewal_ = Deadline::after(limits_.age);
  }
  record.resize(content.size() + kHopRecordOverhead);
  const auto head = std::span(record).first(kHeadSize);
  put_big_endian(keys_.number(), head.first(kNumberSize));
  std::ranges::copy(task, head.begin() + kNumberSize);
  TCFDL_TRY(keys_.key().seal(keys_.nonce(place_), associated_data(keys_.direction(), kind, head, place_), content,
                             std::span(record).subspan(kHeadSize)));
  ++place_;
  ++with_key_;
  return {};
}

Result<HopTask> HopOpener::open(FrameKind kind, BytesView record, Bytes& content) {
  if (failed_) return Error(Code::kFailedPrecondition, "the hop had a record that did not verify");
  auto opened = try_open(kind, record, content);
  failed_ = !opened;
  if (!opened) return opened.error().within(fmt::format("record {} of the hop", place_));
  ++place_;
  return opened;
}

Result<HopTask> HopOpener::try_open(FrameKind kind, BytesView record, Bytes& content) {
  if (record.size() < kHopRecordOverhead) {
    return make_error(Code::kUnauthenticated, "{} bytes are no record", record.size());
  }
  std::array<std::uint8_t, kNumberSize> current{};
  std::array<std::uint8_t, kNumberSize> following{};
  put_big_endian(keys_.number(), current);
  put_big_endian(std::uint64_t{keys_.number()} + 1, following);
  const auto head = record.first(kHeadSize);
  const bool renewed = std::ranges::equal(head.first(kNumberSize), following);
  if (!renewed && !std::ranges::equal(head.first(kNumberSize), current)) {
    return Error(Code::kUnauthenticated, "it names neither the key in use nor the next");
  }
  if (place_ >= kMostRecordsOfAKey * (std::uint64_t{keys_.number()} + 1)) {
    return Error(Code::kUnauthenticated, "the peer does not renew its key");
  }
  if (renewed) keys_ = keys_.next(); // what fails to open ends the hop: there is no way back to keep
  content.resize(record.size() - kHopRecordOverhead);
  TCFDL_TRY(keys_.key().open(keys_.nonce(place_), associated_data(keys_.direction(), kind, head, place_),
                             record.subspan(kHeadSize), content));
  HopTask task{};
  std::ranges::copy(head.subspan(kNumberSize), task.begin());
  return task;
}

Status HopTaskOrder::check(FrameKind kind, const HopTask& task) {
  if (kind == FrameKind::kMessage) {
    if (in_body_) return Error(Code::kUnauthenticated, "a task begins within the body of another");
    current_ = task;
    in_body_ = task != HopTask{};
    return {};
  }
  if (!in_body_) return Error(Code::kUnauthenticated, "a segment of no task's body");
  if (task != current_) return Error(Code::kUnauthenticated, "a segment of another task");
  in_body_ = kind != FrameKind::kLastSegment;
  return {};
}

} // namespace tcfdl::wire
