#include "wire/receipt.hpp"

#include "base/encoding.hpp"
#include "base/rfc3339.hpp"
#include "wire/descriptor.hpp"

#include <algorithm>

namespace tcfdl::wire {
namespace {

/// How far clocks of honest machines may be apart, seconds.
constexpr std::int64_t kReceiptSkew = 300;

std::string_view label_of_body(ReceiptBody body) {
  return body == ReceiptBody::kInput ? "ReceiptInput" : "ReceiptOutput";
}

/// The parts of a receipt. They were parsed and not checked.
struct ReceiptParts {
  Receipt receipt;
  ReceiptStatement statement;
  Certificate certificate;
  Descriptor descriptor;
};

Status check_sizes(const ReceiptParts& parts) {
  const auto hash_size = [](const std::string& bytes) { return bytes.size() == crypto::kSha256Size; };
  const auto salt_size = [](const std::string& bytes) { return bytes.empty() || bytes.size() == kReceiptSaltSize; };
  const auto& statement = parts.statement;
  if (!hash_size(statement.owner()) || !hash_size(statement.measurement()) || !hash_size(statement.input_hash()) ||
      !hash_size(statement.output_hash())) {
    return Error(Code::kInvalidArgument, "a hash in the statement has not 32 bytes");
  }
  if (!salt_size(parts.receipt.input_salt()) || !salt_size(parts.receipt.output_salt())) {
    return Error(Code::kInvalidArgument, "a salt has not 32 bytes");
  }
  if (!is_uuid(statement.task_id())) return Error(Code::kInvalidArgument, "the task id is no UUID");
  return {};
}

Result<ReceiptParts> parse_receipt(BytesView bytes) {
  if (bytes.size() > kMaxReceipt) {
    return make_error(Code::kInvalidArgument, "{} bytes are more than a receipt may have, {}", bytes.size(),
                      kMaxReceipt);
  }
  ReceiptParts parts;
  TCFDL_ASSIGN(parts.receipt, parse<Receipt>(bytes));
  TCFDL_ASSIGN(parts.statement, parse<ReceiptStatement>(parts.receipt.statement().statement()));
  TCFDL_ASSIGN(parts.certificate, parse<Certificate>(parts.receipt.certificate().statement()));
  TCFDL_ASSIGN(parts.descriptor, parse<Descriptor>(parts.receipt.descriptor().statement()));
  TCFDL_TRY(check_sizes(parts));
  return parts;
}

Status refuse_receipt(std::string why) { return Error(Code::kUnauthenticated, std::move(why)); }

/// A text of the statement, which must be there and be that of the certificate.
Status same_as_certified(std::string_view stated, std::string_view certified) {
  if (!stated.empty() && stated == certified) return {};
  return refuse_receipt(fmt::format("the receipt says '{}', the certificate '{}'", stated, certified));
}

Status same_hash(const std::string& stated, const std::string& other, std::string_view whose) {
  if (stated == other) return {};
  return refuse_receipt(
      fmt::format("the receipt says {}, the {} {}", to_hex(as_bytes(stated)), whose, to_hex(as_bytes(other))));
}

Status check_receipt_role(const Certificate& certificate) {
  if (certificate.role() == ROLE_INSTANCE) return {};
  return refuse_receipt(
      fmt::format("the certificate is of role {}, not of an instance", Role_Name(certificate.role())));
}

Status check_statement_signature(const ReceiptParts& parts) {
  TCFDL_ASSIGN(const auto key, crypto::VerifyKey::from_bytes(as_bytes(parts.certificate.verify_key())));
  TCFDL_TRY(verify<ReceiptStatement>(key, parts.receipt.statement()));
  return {};
}

Status check_instance(const ReceiptParts& parts) {
  TCFDL_TRY(same_as_certified(parts.statement.instance(), parts.certificate.subject()));
  TCFDL_TRY(same_as_certified(parts.statement.node(), parts.certificate.node()));
  return same_as_certified(parts.statement.cluster(), parts.certificate.cluster());
}

Status check_policy_version(const ReceiptParts& parts) {
  const auto stated = parts.statement.policy_version();
  const auto certified = parts.certificate.policy_version();
  if (stated == certified) return {};
  return refuse_receipt(fmt::format("the receipt says {}, the certificate {}", stated, certified));
}

Status check_receipt_time(const ReceiptParts& parts, UnixSeconds now) {
  const auto started = parts.statement.started_ms() / 1000;
  const auto finished = parts.statement.finished_ms() / 1000;
  if (parts.statement.started_ms() <= 0 || parts.statement.started_ms() > parts.statement.finished_ms()) {
    return refuse_receipt("the task ended before it began");
  }
  if (finished > now + kReceiptSkew) return refuse_receipt("the task ends in the future: " + to_rfc3339(finished));
  const auto& certificate = parts.certificate;
  if (started + kReceiptSkew >= certificate.issued() && finished < certificate.expires()) return {};
  return refuse_receipt(fmt::format("the task ran from {} to {}, the certificate is valid from {} to {}",
                                    to_rfc3339(started), to_rfc3339(finished), to_rfc3339(certificate.issued()),
                                    to_rfc3339(certificate.expires())));
}

Status check_owner_of(const ReceiptParts& parts) {
  const auto& [receipt, statement, certificate, descriptor] = parts;
  if (statement.function() != descriptor.name() || statement.version() != descriptor.version()) {
    return refuse_receipt(fmt::format("the receipt is of {} {}, the descriptor of {} {}", statement.function(),
                                      statement.version(), descriptor.name(), descriptor.version()));
  }
  const auto owner = crypto::sha256(as_bytes(descriptor.owner_key()));
  return same_hash(statement.owner(), field(owner), "descriptor");
}

Status check_admitted(const ReceiptParts& parts) {
  const auto& descriptor = parts.descriptor;
  const auto& statement = parts.statement;
  if (!contains_text(descriptor.tee_kinds(), statement.tee_kind())) {
    return refuse_receipt(fmt::format("the owner does not admit TEEs of kind '{}'", statement.tee_kind()));
  }
  if (!contains_text(descriptor.assurance(), statement.assurance())) {
    return refuse_receipt(fmt::format("the owner does not admit the class '{}'", statement.assurance()));
  }
  if (!admits_provider(descriptor, statement.cluster())) {
    return refuse_receipt(fmt::format("the owner does not admit cluster {}", statement.cluster()));
  }
  if (!contains_text(descriptor.protections(), statement.protection())) {
    return refuse_receipt(fmt::format("the owner does not admit protection '{}'", statement.protection()));
  }
  return {};
}

Status check_body(ReceiptBody which, const std::string& salt, const std::string& stated, BytesView body) {
  if (salt.empty())
    return refuse_receipt("the salt was taken out of the receipt; without it no body can be held against it");
  ReceiptHash hash(which, as_bytes(salt));
  hash.update(body);
  if (as_text(hash.finish()) == stated) return {};
  return refuse_receipt("it is not the body that the receipt is of");
}

std::vector<ReceiptCheck> wanted_checks(const ReceiptQuestion& question) {
  using enum ReceiptCheck;
  std::vector<ReceiptCheck> wanted{
      kForm,      kCertificate,   kRole, kSignature,  kInstance, kMeasurement,           kFunction, kTeeKind,
      kAssurance, kPolicyVersion, kTime, kDescriptor, kOwner,    kDescriptorMeasurement, kAdmitted};
  if (question.input) wanted.push_back(kInput);
  if (question.output) wanted.push_back(kOutput);
  return wanted;
}

} // namespace

ReceiptHash::ReceiptHash(ReceiptBody body, BytesView salt) { hash_.update(labelled(label_of_body(body), {salt})); }

Receipt sign_receipt(const crypto::SigningKey& instance, const ReceiptStatement& statement, const Signed& certificate,
                     const Signed& descriptor) {
  Receipt receipt;
  *receipt.mutable_statement() = sign(instance, statement);
  *receipt.mutable_certificate() = certificate;
  *receipt.mutable_descriptor() = descriptor;
  return receipt;
}

std::string_view receipt_check_name(ReceiptCheck check) noexcept {
  switch (check) {
  case ReceiptCheck::kForm: return "form";
  case ReceiptCheck::kCertificate: return "certificate";
  case ReceiptCheck::kRole: return "role";
  case ReceiptCheck::kSignature: return "signature";
  case ReceiptCheck::kInstance: return "instance";
  case ReceiptCheck::kMeasurement: return "measurement";
  case ReceiptCheck::kFunction: return "function";
  case ReceiptCheck::kTeeKind: return "tee_kind";
  case ReceiptCheck::kAssurance: return "assurance";
  case ReceiptCheck::kPolicyVersion: return "policy_version";
  case ReceiptCheck::kTime: return "time";
  case ReceiptCheck::kDescriptor: return "descriptor";
  case ReceiptCheck::kOwner: return "owner";
  case ReceiptCheck::kDescriptorMeasurement: return "descriptor_measurement";
  case ReceiptCheck::kAdmitted: return "admitted";
  case ReceiptCheck::kInput: return "input";
  case ReceiptCheck::kOutput: return "output";
  }
  return "unknown";
}

bool ReceiptVerdict::accepted() const {
  if (wanted_.empty() || !reasons_.empty()) return false;
  return std::ranges::all_of(wanted_,
                             [&](ReceiptCheck wanted) { return std::ranges::find(passed_, wanted) != passed_.end(); });
}

Result<ReceiptStatement> ReceiptVerdict::outcome() const {
  if (accepted()) return statement_;
  if (reasons_.empty()) return Error(Code::kUnauthenticated, "the receipt: not all checks were made");
  return make_error(Code::kUnauthenticated, "the receipt: {}: {}", receipt_check_name(reasons_.front().check),
                    reasons_.front().text);
}

void ReceiptVerdict::note(ReceiptCheck check, const Status& result) {
  if (result) {
    passed_.push_back(check);
  } else {
    reasons_.push_back({check, result.error().message()});
  }
}

ReceiptVerdict verify_receipt(BytesView receipt, const ReceiptQuestion& question) {
  using enum ReceiptCheck;
  ReceiptVerdict verdict(wanted_checks(question));
  const auto parsed = parse_receipt(receipt);
  verdict.note(kForm, parsed ? Status() : Status(parsed.error()));
  if (!parsed) return verdict;
  const auto& parts = *parsed;
  const auto& [bytes, statement, certificate, descriptor] = parts;
  verdict.set_statement(statement);

  const auto certified = verify<Certificate>(question.authority, bytes.certificate());
  verdict.note(kCertificate, certified ? Status() : Status(certified.error()));
  verdict.note(kRole, check_receipt_role(certificate));
  verdict.note(kSignature, check_statement_signature(parts));
  verdict.note(kInstance, check_instance(parts));
  verdict.note(kMeasurement, same_hash(statement.measurement(), certificate.measurement(), "certificate"));
  verdict.note(kFunction, same_as_certified(statement.function(), certificate.function()));
  verdict.note(kTeeKind, same_as_certified(statement.tee_kind(), certificate.tee_kind()));
  verdict.note(kAssurance, same_as_certified(statement.assurance(), certificate.assurance()));
  verdict.note(kPolicyVersion, check_policy_version(parts));
  verdict.note(kTime, check_receipt_time(parts, question.now));

  const auto described = check_descriptor(bytes.descriptor());
  verdict.note(kDescriptor, described ? Status() : Status(described.error()));
  verdict.note(kOwner, check_owner_of(parts));
  verdict.note(kDescriptorMeasurement, same_hash(statement.measurement(), descriptor.measurement(), "descriptor"));
  verdict.note(kAdmitted, check_admitted(parts));

  if (question.input) {
    verdict.note(kInput, check_body(ReceiptBody::kInput, bytes.input_salt(), statement.input_hash(), *question.input));
  }
  if (question.output) {
    verdict.note(kOutput,
                 check_body(ReceiptBody::kOutput, bytes.output_salt(), statement.output_hash(), *question.output));
  }
  return verdict;
}

} // namespace tcfdl::wire
