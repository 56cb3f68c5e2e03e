#include "sdk/receipts.hpp"

#include "base/clock.hpp"
#include "crypto/random.hpp"
#include "wire/proto/hop.pb.h"

#include <algorithm>

namespace tcfdl::sdk {
namespace {

constexpr std::array<std::string_view, 5> kWays{"local", "tcp", "tls", "relay", "proxies"};

/// What certificate and descriptor state of this instance.
Result<wire::ReceiptStatement> receipt_statement_of(const wire::Signed& signed_certificate,
                                                    const wire::Signed& signed_descriptor) {
  if (signed_descriptor.statement().empty()) {
    return Error(Code::kFailedPrecondition, "the instance has no descriptor to make receipts with");
  }
  TCFDL_ASSIGN(const auto certificate, wire::parse<wire::Certificate>(signed_certificate.statement()));
  TCFDL_ASSIGN(const auto descriptor, wire::parse<wire::Descriptor>(signed_descriptor.statement()));
  wire::ReceiptStatement statement;
  statement.set_function(descriptor.name());
  statement.set_version(descriptor.version());
  statement.set_owner(wire::field(crypto::sha256(as_bytes(descriptor.owner_key()))));
  statement.set_measurement(certificate.measurement());
  statement.set_tee_kind(certificate.tee_kind());
  statement.set_assurance(certificate.assurance());
  statement.set_policy_version(certificate.policy_version());
  statement.set_cluster(certificate.cluster());
  statement.set_node(certificate.node());
  statement.set_instance(certificate.subject());
  return statement;
}

void add_receipt_task(wire::ReceiptStatement& statement, const ReceiptTask& task) {
  statement.set_task_id(task.header.task_id());
  statement.set_protection(task.header.protection());
  statement.set_caller(task.header.sender());
  statement.set_caller_key(task.lease.caller_key());
  auto& claimed = *statement.mutable_claimed_route();
  const auto& way = task.header.claimed_route();
  if (std::ranges::find(kWays, way) != kWays.end()) claimed.set_way(way);
  claimed.set_granted_by(task.lease.cluster());
  if (task.route != nullptr) *claimed.mutable_proxies() = task.route->proxies();
}

} // namespace

ReceiptDraft::ReceiptDraft()
    : input_salt_(crypto::random_array<crypto::kSaltSize>()), output_salt_(crypto::random_array<crypto::kSaltSize>()),
      input_(wire::ReceiptBody::kInput, input_salt_), output_(wire::ReceiptBody::kOutput, output_salt_),
      started_ms_(unix_millis()) {}

Result<Bytes> ReceiptIssuer::issue(ReceiptDraft& draft, const ReceiptTask& task) const {
  const auto certificate = identity_.certificate.get();
  TCFDL_ASSIGN(auto statement, receipt_statement_of(certificate, descriptor_));
  add_receipt_task(statement, task);
  statement.set_input_hash(wire::field(draft.input_.finish()));
  statement.set_output_hash(wire::field(draft.output_.finish()));
  statement.set_started_ms(draft.started_ms_);
  statement.set_finished_ms(std::max(unix_millis(), draft.started_ms_));
  auto receipt = wire::sign_receipt(identity_.signing, statement, certificate, descriptor_);
  receipt.set_input_salt(wire::field(draft.input_salt_));
  receipt.set_output_salt(wire::field(draft.output_salt_));
  auto bytes = wire::serialize(receipt);
  if (bytes.size() <= wire::kMaxReceipt) return bytes;
  return make_error(Code::kResourceExhausted, "the receipt would have {} bytes; {} are allowed", bytes.size(),
                    wire::kMaxReceipt);
}

Result<std::size_t> NotingReader::read(std::span<std::uint8_t> out) {
  auto size = body_.read(out);
  if (size && draft_) draft_->add_input(out.first(*size));
  return size;
}

Status NotingReader::note_rest() {
  if (!draft_) return {};
  Bytes piece(crypto::kSegmentSize);
  for (;;) {
    TCFDL_ASSIGN(const auto size, read(piece));
    if (size == 0) return {};
  }
}

Status NotingWriter::write(BytesView piece) {
  if (draft_) draft_->add_output(piece);
  return body_.write(piece);
}

} // namespace tcfdl::sdk
