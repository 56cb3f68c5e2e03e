#include "sdk/result_writer.hpp"

namespace tcfdl::sdk {
namespace {

constexpr std::size_t kLongestErrorText = 16UL * 1024;

} // namespace

Status ResultWriter::begin(std::uint32_t code, std::uint64_t run_us) {
  wire::ResultHeader header;
  header.set_task_id(task_.task_id());
  header.set_attempt(attempt_);
  header.set_instance(instance_);
  header.set_capsule_id(task_.capsule_id());
  header.set_code(code);
  header.set_run_us(run_us);
  wire::TaskReply reply;
  auto& head = *reply.mutable_result();
  head.set_header(header.SerializeAsString());
  std::optional<crypto::StreamKeys> keys;
  if (secret_ != nullptr) {
    const auto salt = crypto::random_array<crypto::kSaltSize>();
    head.set_salt(wire::field(salt));
    keys = crypto::derive_stream_keys(secret_->key.span(), salt, wire::kResultDirection, as_bytes(head.header()));
  }
  TCFDL_TRY(wire::send_message(connection_, reply, deadline_));
  segments_.emplace(connection_, std::move(keys), deadline_);
  return {};
}

Status ResultWriter::write(BytesView piece) {
  if (!segments_) {
    const auto spent = Deadline::Clock::now() - start_;
    TCFDL_TRY(
        begin(0, static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(spent).count())));
  }
  return segments_->write(piece);
}

Status ResultWriter::finish(std::uint64_t run_us) {
  if (!segments_) TCFDL_TRY(begin(0, run_us));
  return segments_->finish();
}

Status ResultWriter::fail(const Error& error, std::uint64_t run_us) {
  if (segments_) return error;
  TCFDL_TRY(begin(static_cast<std::uint32_t>(error.code()), run_us));
  TCFDL_TRY(segments_->write(as_bytes(std::string_view(error.message()).substr(0, kLongestErrorText))));
  return segments_->finish();
}

} // namespace tcfdl::sdk
