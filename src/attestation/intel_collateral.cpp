#include "attestation/intel_collateral.hpp"

#include "base/encoding.hpp"
#include "base/rfc3339.hpp"

#include <algorithm>

namespace tcfdl::attestation {
namespace {

constexpr std::string_view kTcbSigner = "Intel SGX TCB Signing";
constexpr auto kRootCrl = "root_ca_crl.der";

const Bytes* find(const CollateralFiles& files, std::initializer_list<const char*> names) {
  for (const auto* name : names) {
    if (const auto found = files.find(name); found != files.end()) return &found->second;
  }
  return nullptr;
}

/// The certificate that signs TCB info, issued by the pinned root itself: PCK certificates, which have the same root,
/// sign no collateral.
Result<std::vector<crypto::Certificate>> signing_chain(const Bytes& file, BytesView root_key, UnixSeconds now) {
  TCFDL_ASSIGN(const auto pool, crypto::parse_certificates(file));
  const auto leaf = std::ranges::find_if(pool, [](const auto& one) { return one.common_name() == kTcbSigner; });
  if (leaf == pool.end()) return make_error(Code::kUnauthenticated, "there is no certificate '{}'", kTcbSigner);
  TCFDL_ASSIGN(auto chain, crypto::build_chain(*leaf, pool));
  TCFDL_TRY(crypto::check_chain(chain, now));
  if (chain.size() != 2) return Error(Code::kUnauthenticated, "the chain does not have two certificates");
  if (!std::ranges::equal(chain.back().point(), root_key)) {
    return make_error(Code::kUnauthenticated, "'{}' does not have Intel's root key", chain.back().common_name());
  }
  return chain;
}

/// One signed document: which file, which member of it, which chains it may have.
struct Document {
  const char* file;
  const char* member;
  const char* own_chain;
};

/// The member's bytes, once their signature and signer are good.
std::optional<BytesView> check_signed(const Document& what, const CollateralFiles& files, BytesView root_key,
                                      UnixSeconds now, Findings& findings) {
  const auto* const text = find(files, {what.file});
  const auto* const chain_file = find(files, {what.own_chain, "tcb_signing_chain.pem"});
  findings.require(text != nullptr, what.file, "missing", "the file in the collateral");
  findings.require(chain_file != nullptr, what.own_chain, "missing", "that file or tcb_signing_chain.pem");
  if (text == nullptr || chain_file == nullptr) return {};
  const auto document = SignedJson::parse(*text, what.member);
  const auto chain = signing_chain(*chain_file, root_key, now);
  if (!document) findings.refuse(what.file, document.error().message(), "a signed document");
  if (!chain) findings.refuse(what.own_chain, chain.error().message(), "a chain in date to the pinned root of Intel");
  if (!document || !chain) return {};
  findings.require(chain->front().verify_ecdsa(document->body, document->signature),
                   fmt::format("{} signature", what.file), "the signature of its signing certificate");
  check_revocation(files, kRootCrl, chain->front(), chain->back(), now, findings);
  return document->body;
}

void check_dates(const char* file, UnixSeconds issued, UnixSeconds next_update, UnixSeconds now, Findings& findings) {
  findings.require(issued <= now && now <= next_update, fmt::format("{} dates", file),
                   fmt::format("from {} to {}", to_rfc3339(issued), to_rfc3339(next_update)),
                   fmt::format("in date at {}", to_rfc3339(now)));
}

template <class T> std::optional<T> accept(const char* file, Result<T> parsed, UnixSeconds now, Findings& findings) {
  if (!parsed) {
    findings.refuse(file, parsed.error().message(), "a document of its form");
    return {};
  }
  check_dates(file, parsed->issued, parsed->next_update, now, findings);
  return *std::move(parsed);
}

} // namespace

BytesView intel_root_key() noexcept {
  static constexpr std::array<std::uint8_t, 65> kKey = {
      0x04, 0x0b, 0xa9, 0xc4, 0xc0, 0xc0, 0xc8, 0x61, 0x93, 0xa3, 0xfe, 0x23, 0xd6, 0xb0, 0x2c, 0xda, 0x10,
      0xa8, 0xbb, 0xd4, 0xe8, 0x8e, 0x48, 0xb4, 0x45, 0x85, 0x61, 0xa3, 0x6e, 0x70, 0x55, 0x25, 0xf5, 0x67,
      0x91, 0x8e, 0x2e, 0xdc, 0x88, 0xe4, 0x0d, 0x86, 0x0b, 0xd0, 0xcc, 0x4e, 0xe2, 0x6a, 0xac, 0xc9, 0x88,
      0xe5, 0x05, 0xa9, 0x53, 0x55, 0x8c, 0x45, 0x3f, 0x6b, 0x09, 0x04, 0xae, 0x73, 0x94};
  return kKey;
}

std::optional<TcbInfo> check_tcb_info(const CollateralFiles& files, BytesView root_key, UnixSeconds now,
                                      Findings& findings) {
  const Document what{.file = "tcb_info.json", .member = "tcbInfo", .own_chain = "tcb_info_issuer_chain.pem"};
  const auto body = check_signed(what, files, root_key, now, findings);
  if (!body) return {};
  return accept(what.file, parse_tcb_info(*body), now, findings);
}

std::optional<QeIdentity> check_qe_identity(const CollateralFiles& files, BytesView root_key, UnixSeconds now,
                                            Findings& findings) {
  const Document what{
      .file = "qe_identity.json", .member = "enclaveIdentity", .own_chain = "qe_identity_issuer_chain.pem"};
  const auto body = check_signed(what, files, root_key, now, findings);
  if (!body) return {};
  return accept(what.file, parse_qe_identity(*body), now, findings);
}

void check_revocation(const CollateralFiles& files, const char* file, const crypto::Certificate& certificate,
                      const crypto::Certificate& issuer, UnixSeconds now, Findings& findings) {
  const auto* const bytes = find(files, {file});
  if (bytes == nullptr) {
    auto& missing = findings.unverified_claims().missing_crls;
    if (std::ranges::find(missing, issuer.common_name()) == missing.end()) missing.push_back(issuer.common_name());
    return;
  }
  const auto list = crypto::Crl::parse(*bytes);
  if (!list) {
    findings.refuse(file, list.error().message(), "a revocation list");
    return;
  }
  findings.require(list->check_issued_by(issuer), file, fmt::format("a list of '{}'", issuer.common_name()));
  findings.require(
      list->validity().contains(now), fmt::format("{} dates", file),
      fmt::format("from {} to {}", to_rfc3339(list->validity().not_before), to_rfc3339(list->validity().not_after)),
      fmt::format("in date at {}", to_rfc3339(now)));
  findings.require(!list->revokes(certificate.serial()), "revocation",
                   fmt::format("certificate '{}' with serial {} is revoked", certificate.common_name(),
                               to_hex(certificate.serial())),
                   "a certificate that is not");
}

} // namespace tcfdl::attestation
