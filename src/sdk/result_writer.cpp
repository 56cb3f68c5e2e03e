#include "sdk/result_writer.hpp"

#include "wire/receipt.hpp"

namespace tcfdl::sdk {
namespace {

constexpr std::size_t kLongestText = 16UL * 1024;

} // namespace

Result<wire::SegmentWriter*> ResultWriter::open(std::uint32_t code, std::uint64_t run_us) {
  wire::ResultHeader header;
  header.set_task_id(task_.task_id());
  header.set_attempt(attempt_);
  header.set_instance(instance_);
  header.set_capsule_id(task_.capsule_id());
  header.set_code(code);
  header.set_run_us(run_us);
  header.set_receipt(receipt_announced_ && code == 0);
  wire::TaskReply reply;
  auto& head = *reply.mutable_result();
  head.set_header(header.SerializeAsString());
  std::optional<crypto::StreamKeys> keys;
  if (secret_ != nullptr) {
    const auto salt = crypto::random_array<crypto::kSaltSize>();
    head.set_salt(wire::field(salt));
    keys = crypto::derive_stream_keys(secret_->key.span(), salt, wire::kResultDirection, as_bytes(head.header()));
    if (header.receipt()) {
      receipt_keys_ =
          crypto::derive_stream_keys(secret_->key.span(), salt, wire::kReceiptDirection, as_bytes(head.header()));
    }
  }
  TCFDL_TRY(wire::send_head(connection_, reply, deadline_));
  return &segments_.emplace(connection_, std::move(keys), deadline_);
}

Status ResultWriter::begin(std::uint32_t code, std::uint64_t run_us) {
  TCFDL_TRY(open(code, run_us));
  return {};
}

Status ResultWriter::write(BytesView piece) {
  written_ += piece.size();
  if (segments_) return segments_->write(piece);
  const auto spent = std::chrono::duration_cast<std::chrono::microseconds>(Deadline::Clock::now() - start_);
  TCFDL_ASSIGN(auto* const segments, open(0, static_cast<std::uint64_t>(spent.count())));
  return segments->write(piece);
}

Status ResultWriter::finish(std::uint64_t run_us) {
  if (segments_) return segments_->finish();
  TCFDL_ASSIGN(auto* const segments, open(0, run_us));
  return segments->finish();
}

Status ResultWriter::send_receipt(BytesView receipt) {
  return wire::send_body(connection_, std::move(receipt_keys_), receipt, deadline_);
}

Status ResultWriter::fail(const Error& error, std::uint64_t run_us) {
  if (segments_) return error;
  TCFDL_ASSIGN(auto* const segments, open(static_cast<std::uint32_t>(error.code()), run_us));
  TCFDL_TRY(segments->write(as_bytes(std::string_view(error.message()).substr(0, kLongestText))));
  return segments->finish();
}

} // namespace tcfdl::sdk
