#include "attestation/intel.hpp"

#include "attestation/intel_claims.hpp"
#include "attestation/intel_collateral.hpp"
#include "base/encoding.hpp"
#include "base/rfc3339.hpp"
#include "crypto/hash.hpp"
#include "crypto/secret.hpp"

#include <algorithm>

namespace tcfdl::attestation {
namespace {

constexpr std::string_view kPckLeaf = "Intel SGX PCK Certificate";
constexpr std::array<std::string_view, 2> kPckIssuers = {"Intel SGX PCK Processor CA", "Intel SGX PCK Platform CA"};

/// All that one look at a quote needs.
struct Case {
  const IntelQuote& quote;
  const CollateralFiles& files;
  BytesView root_key;
  UnixSeconds now;
  Findings& findings;
};

Bytes point_of(BytesView x_and_y) {
  Bytes point{0x04};
  point.insert(point.end(), x_and_y.begin(), x_and_y.end());
  return point;
}

/// The attestation key signed the quote, and the quoting enclave vouches for that key.
void check_attestation_key(const Case& look) {
  const auto& quote = look.quote;
  look.findings.require(
      crypto::verify_ecdsa(crypto::Curve::kP256, point_of(quote.attestation_key), quote.signed_part, quote.signature),
      "quote signature", "the signature of the attestation key");
  const auto digest = crypto::sha256({quote.attestation_key, quote.qe_authentication_data});
  Bytes wanted(digest.begin(), digest.end());
  wanted.resize(64);
  const auto has = SgxReport::of(quote.qe_report.first<384>()).report_data;
  look.findings.require(crypto::equal_constant_time(has, wanted), "attestation key", to_hex(has),
                        fmt::format("QE report data {}", to_hex(wanted)));
}

/// The PCK certificate, its CA and the root, whose key is the pinned one; nothing else is a PCK chain.
Result<std::vector<crypto::Certificate>> pck_chain(const Case& look) {
  TCFDL_ASSIGN(const auto pool, crypto::parse_certificates(look.quote.certificates));
  const auto leaf = std::ranges::find_if(pool, [](const auto& one) { return one.common_name() == kPckLeaf; });
  if (leaf == pool.end()) return make_error(Code::kUnauthenticated, "there is no certificate '{}'", kPckLeaf);
  TCFDL_ASSIGN(auto chain, crypto::build_chain(*leaf, pool));
  TCFDL_TRY(crypto::check_chain(chain, look.now));
  if (chain.size() != 3) return make_error(Code::kUnauthenticated, "it has {} certificates, not 3", chain.size());
  if (std::ranges::find(kPckIssuers, chain[1].common_name()) == kPckIssuers.end()) {
    return make_error(Code::kUnauthenticated, "'{}' is no CA of PCK certificates", chain[1].common_name());
  }
  if (!std::ranges::equal(chain.back().point(), look.root_key)) {
    return make_error(Code::kUnauthenticated, "'{}' does not have Intel's root key", chain.back().common_name());
  }
  return chain;
}

Result<PckFacts> facts_of(const crypto::Certificate& pck) {
  TCFDL_ASSIGN(const auto extension, pck.extension(std::string(kPckExtension)));
  return PckFacts::parse(extension);
}

/// The platform signed the quoting enclave's report; what its certificate says of the platform.
std::optional<PckFacts> check_platform(const Case& look) {
  auto& findings = look.findings;
  const auto chain = pck_chain(look);
  if (!chain) {
    findings.refuse("pck chain", chain.error().message(), "a chain in date to the pinned root of Intel");
    return {};
  }
  findings.require(chain->front().verify_ecdsa(look.quote.qe_report, look.quote.qe_report_signature),
                   "QE report signature", "the signature of the PCK certificate's key");
  check_revocation(look.files, "pck_crl.der", (*chain)[0], (*chain)[1], look.now, findings);
  check_revocation(look.files, "root_ca_crl.der", (*chain)[1], (*chain)[2], look.now, findings);
  auto facts = facts_of(chain->front());
  if (!findings.require(facts ? Status() : Status(facts.error()), "pck certificate", "Intel's SGX extension"))
    return {};
  auto& claims = findings.unverified_claims();
  claims.tcb["pcesvn"] = facts->pcesvn;
  claims.details["fmspc"] = to_hex(facts->fmspc);
  claims.details["pceid"] = to_hex(facts->pceid);
  claims.details["ppid"] = to_hex(facts->ppid);
  claims.details["cpusvn"] = to_hex(facts->components);
  return *std::move(facts);
}

/// The worst status of all parts; none while one has no level.
class Verdict {
public:
  void add(const TcbVerdict& part, Claims& claims) {
    status_ = status_ ? worse(*status_, part.status) : part.status;
    for (const auto& id : part.advisories) {
      if (std::ranges::find(claims.advisories, id) == claims.advisories.end()) claims.advisories.push_back(id);
    }
  }
  void lack() { complete_ = false; }
  [[nodiscard]] std::optional<TcbStatus> status() const { return complete_ ? status_ : std::nullopt; }

private:
  std::optional<TcbStatus> status_;
  bool complete_ = true;
};

/// The TCB info is of this platform, and one of its levels fits.
void check_platform_level(const Case& look, const PckFacts& pck, const TcbInfo& info, Verdict& verdict) {
  auto& findings = look.findings;
  findings.require(info.id == (look.quote.tdx ? "TDX" : "SGX"), "tcb_info id", info.id, look.quote.tdx ? "TDX" : "SGX");
  findings.require(info.fmspc == pck.fmspc, "fmspc", to_hex(pck.fmspc),
                   fmt::format("{}, which the TCB info is for", to_hex(info.fmspc)));
  findings.require(info.pceid == pck.pceid, "pceid", to_hex(pck.pceid),
                   fmt::format("{}, which the TCB info is for", to_hex(info.pceid)));
  const auto svn = look.quote.tdx ? TdReport::of(look.quote.body).tee_tcb_svn : BytesView();
  const auto* const level = match_platform(info.levels, pck, svn);
  if (!findings.require(level != nullptr, "tcb level",
                        fmt::format("none matches (components {}, PCESVN {}{})", to_hex(pck.components), pck.pcesvn,
                                    look.quote.tdx ? ", TEE_TCB_SVN " + to_hex(svn) : ""),
                        "a platform that reaches a level of the TCB info")) {
    verdict.lack();
    return;
  }
  verdict.add(level->verdict, findings.unverified_claims());
  findings.unverified_claims().details["tcb_date"] = to_rfc3339(level->verdict.date);
}

/// The TDX module is Intel's, and one of its levels fits.
void check_module(const Case& look, const TcbInfo& info, Verdict& verdict) {
  auto& findings = look.findings;
  const auto report = TdReport::of(look.quote.body);
  const auto* const module = match_module(info, report.tee_tcb_svn);
  if (!findings.require(module != nullptr, "tdx module", fmt::format("TEE_TCB_SVN {}", to_hex(report.tee_tcb_svn)),
                        "a version that the TCB info has an identity for")) {
    verdict.lack();
    return;
  }
  findings.require(std::ranges::equal(report.mr_signer_seam, module->mr_signer), "mr_signer_seam",
                   to_hex(report.mr_signer_seam), to_hex(module->mr_signer));
  findings.require(equal_masked(report.seam_attributes, module->attributes, module->attributes_mask), "seam_attributes",
                   to_hex(report.seam_attributes),
                   fmt::format("{} under the mask {}", to_hex(module->attributes), to_hex(module->attributes_mask)));
  if (module->id.empty()) return;
  const auto svn = report.tee_tcb_svn[0];
  const auto* const level = match_svn(module->levels, svn);
  if (!findings.require(level != nullptr, "tdx module level", fmt::format("{} version {}", module->id, svn),
                        "a version that reaches a level of the TCB info")) {
    verdict.lack();
    return;
  }
  verdict.add(level->verdict, findings.unverified_claims());
}

/// The quoting enclave is Intel's, and one of its levels fits.
void check_quoting_enclave(const Case& look, const QeIdentity& identity, Verdict& verdict) {
  auto& findings = look.findings;
  const auto report = SgxReport::of(look.quote.qe_report.first<384>());
  const auto* const wanted_id = look.quote.tdx ? "TD_QE" : "QE";
  findings.require(identity.id == wanted_id, "qe_identity id", identity.id, wanted_id);
  findings.require(std::ranges::equal(report.mrsigner, identity.mr_signer), "QE MRSIGNER", to_hex(report.mrsigner),
                   to_hex(identity.mr_signer));
  findings.require(report.isv_prod_id == identity.isv_prod_id, "QE ISVPRODID", fmt::format("{}", report.isv_prod_id),
                   fmt::format("{}", identity.isv_prod_id));
  findings.require(equal_masked(report.miscselect, identity.miscselect, identity.miscselect_mask), "QE MISCSELECT",
                   to_hex(report.miscselect), to_hex(identity.miscselect));
  findings.require(equal_masked(report.attributes, identity.attributes, identity.attributes_mask), "QE ATTRIBUTES",
                   to_hex(report.attributes), to_hex(identity.attributes));
  findings.unverified_claims().tcb["qe_svn"] = report.isv_svn;
  const auto* const level = match_svn(identity.levels, report.isv_svn);
  if (!findings.require(level != nullptr, "QE level", fmt::format("ISVSVN {}", report.isv_svn),
                        "a version that reaches a level of the QE identity")) {
    verdict.lack();
    return;
  }
  verdict.add(level->verdict, findings.unverified_claims());
}

/// What Intel says of the platform, of the TDX module and of the quoting enclave.
void check_tcb(const Case& look, const PckFacts& pck) {
  auto& findings = look.findings;
  const auto info = check_tcb_info(look.files, look.root_key, look.now, findings);
  const auto identity = check_qe_identity(look.files, look.root_key, look.now, findings);
  if (!info || !identity) return;
  Verdict verdict;
  check_platform_level(look, pck, *info, verdict);
  if (look.quote.tdx) check_module(look, *info, verdict);
  check_quoting_enclave(look, *identity, verdict);
  if (const auto status = verdict.status()) {
    findings.unverified_claims().tcb_status = name_of(*status);
    findings.require(*status != TcbStatus::kRevoked, "tcb_status", "Revoked", "a platform that is not revoked");
  }
  findings.unverified_claims().tcb["tcb_evaluation_data_number"] =
      std::min(info->evaluation_number, identity->evaluation_number);
  findings.set_verified();
}

} // namespace

IntelVerifier::IntelVerifier(std::string_view tee_kind)
    : IntelVerifier(tee_kind, Bytes(intel_root_key().begin(), intel_root_key().end())) {}

Findings IntelVerifier::verify(const wire::Evidence& evidence, const Endorsements& endorsements,
                               const Expectations& expected, UnixSeconds now) const {
  Findings findings;
  if (!findings.require(evidence.tee_kind() == tee_kind_, "tee", fmt::format("kind '{}'", evidence.tee_kind()),
                        fmt::format("kind '{}'", tee_kind_))) {
    return findings;
  }
  const auto* const form = tee_kind_ == kTdx ? "a TDX quote of version 4 or 5" : "an SGX quote of version 3";
  const auto quote = IntelQuote::parse(as_bytes(evidence.report()));
  if (!findings.require(quote ? Status() : Status(quote.error()), "quote", form)) return findings;
  if (!findings.require(quote->tdx == (tee_kind_ == kTdx), "quote", fmt::format("version {}", quote->version), form)) {
    return findings;
  }
  findings.unverified_claims() = claims_of(*quote);
  const Case look{
      .quote = *quote, .files = endorsements.collateral, .root_key = root_key_, .now = now, .findings = findings};
  check_report_data(findings, findings.unverified_claims().report_data, expected);
  check_attestation_key(look);
  const auto pck = check_platform(look);
  if (pck) check_tcb(look, *pck);
  return findings;
}

} // namespace tcfdl::attestation
