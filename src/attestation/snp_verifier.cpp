#include "attestation/snp_verifier.hpp"

#include "attestation/snp_certificates.hpp"
#include "attestation/snp_leaf.hpp"
#include "base/encoding.hpp"

namespace tcfdl::attestation {
namespace {

constexpr std::uint32_t kEcdsaP384Sha384 = 1;
constexpr std::uint32_t kHighestVmpl = 3;

std::string_view signer_name(SnpSigner signer) { return signer == SnpSigner::kVcek ? "VCEK" : "VLEK"; }

std::string yes_or_no(bool value) { return value ? "true" : "false"; }

bool all_zero(BytesView bytes) {
  return std::ranges::all_of(bytes, [](auto byte) { return byte == 0; });
}

/// All that the report says by itself.
void fill_claims(const UnverifiedSnpReport& report, Claims& claims) {
  claims.tee_kind = kSnp;
  claims.measurement.assign(report.measurement.begin(), report.measurement.end());
  claims.report_data.assign(report.report_data.begin(), report.report_data.end());
  if (!all_zero(report.id_key_digest)) claims.signer.assign(report.id_key_digest.begin(), report.id_key_digest.end());
  claims.debug = report.debug();
  claims.svn = report.guest_svn;
  claims.vmpl = report.vmpl;
  claims.migratable = report.migration_agent();
  auto& details = claims.details;
  details["report_version"] = fmt::format("{}", report.version);
  const auto signer = report.signer();
  details["signing_key"] = signer ? signer_name(*signer) : "unknown";
  details["alias_check_complete"] = yes_or_no(report.alias_check_complete());
  details["smt_admitted"] = yes_or_no(report.smt_admitted());
  details["policy"] = fmt::format("{:#x}", report.policy);
  details["platform_info"] = fmt::format("{:#x}", report.platform_info);
  details["family_id"] = to_hex(report.family_id);
  details["image_id"] = to_hex(report.image_id);
  details["host_data"] = to_hex(report.host_data);
  details["author_key_digest"] = to_hex(report.author_key_digest);
  details["report_id"] = to_hex(report.report_id);
  details["chip_id"] = to_hex(report.chip_id);
  if (report.launch_mitigations) details["launch_mitigations"] = fmt::format("{:#x}", *report.launch_mitigations);
  if (report.current_mitigations) details["current_mitigations"] = fmt::format("{:#x}", *report.current_mitigations);
}

/// What depends on the product's layout.
void fill_tcb(const UnverifiedSnpReport& report, SnpProduct product, Claims& claims) {
  const auto reported = snp_tcb(report.reported_tcb, product);
  claims.tcb = {{"bootloader", reported.bootloader},
                {"tee", reported.tee},
                {"snp", reported.snp},
                {"microcode", reported.microcode}};
  if (product == SnpProduct::kTurin) claims.tcb["fmc"] = reported.fmc;
  claims.details["product"] = snp_product_name(product);
  claims.details["current_tcb"] = snp_tcb(report.current_tcb, product).to_string();
  claims.details["committed_tcb"] = snp_tcb(report.committed_tcb, product).to_string();
  claims.details["launch_tcb"] = snp_tcb(report.launch_tcb, product).to_string();
}

/// One look at one report. Each check adds its reason; those that need what an earlier one found are skipped with it.
class Check {
public:
  Check(const std::vector<SnpRoot>& roots, UnixSeconds now, Findings& findings)
      : roots_(roots), now_(now), findings_(findings) {}

  void run(const wire::Evidence& evidence, const Endorsements& endorsements, const Expectations& expected) {
    const auto parsed = parse_snp_report_unverified(as_bytes(evidence.report()));
    if (!parsed) return findings_.refuse("report", parsed.error().message(), "an SNP report of version 2 to 5");
    const auto& report = *parsed;
    fill_claims(report, findings_.unverified_claims());
    check_report_data(findings_, report.report_data, expected);
    findings_.require(report.vmpl <= kHighestVmpl, "vmpl", fmt::format("{}", report.vmpl), "a guest's level, 0 to 3");
    const auto signer = check_signing_form(report);
    if (!signer) return;
    if (!collect(evidence, endorsements)) return;
    const auto* certificate = find_signer(report, *signer);
    if (certificate == nullptr) return;
    const auto leaf = read_snp_leaf(*certificate, *signer);
    if (!leaf)
      return findings_.refuse("certificate", leaf.error().message(), "a certificate of AMD's for this platform");
    if (!check_product(report, *leaf)) return;
    check_platform(report, *leaf);
    if (!check_chain_to_root(*certificate, *leaf)) return;
    findings_.set_verified();
  }

private:
  /// The key that the report names; nullopt when none can have signed it.
  std::optional<SnpSigner> check_signing_form(const UnverifiedSnpReport& report) {
    const auto signer = report.signer();
    const bool algorithm =
        findings_.require(report.signature_algorithm == kEcdsaP384Sha384, "signature_algorithm",
                          fmt::format("{}", report.signature_algorithm), "1 (ECDSA P-384 with SHA-384)");
    const bool there =
        findings_.require(!report.signature_masked(), "signature", "the platform masks it", "a signature");
    const bool known = findings_.require(signer.has_value(), "signing_key",
                                         fmt::format("key_info {:#x}", report.key_info), "VCEK (0) or VLEK (1)");
    return algorithm && there && known ? signer : std::nullopt;
  }

  bool collect(const wire::Evidence& evidence, const Endorsements& endorsements) {
    const auto add = [&](BytesView file) {
      return findings_.require(files_.add(file), "certificates", "PEM, DER or a GHCB certificate table");
    };
    bool good = evidence.certificates().empty() || add(as_bytes(evidence.certificates()));
    for (const auto& file : endorsements.certificates) good = add(file) && good;
    return good;
  }

  /// The certificate, by its name of the kind that the report names, whose key signed the report.
  const crypto::Certificate* find_signer(const UnverifiedSnpReport& report, SnpSigner signer) {
    const auto wanted = fmt::format("SEV-{}", signer_name(signer));
    std::size_t candidates = 0;
    for (const auto& certificate : files_.certificates()) {
      if (certificate.common_name() != wanted || certificate.curve() != crypto::Curve::kP384) continue;
      ++candidates;
      if (certificate.verify_ecdsa(report.signed_bytes, report.signature)) return &certificate;
    }
    if (candidates == 0) {
      findings_.refuse("certificate", fmt::format("no {} was given", wanted),
                       fmt::format("the {} of the reported chip and TCB, of AMD's Key Distribution Service", wanted));
    } else {
      findings_.refuse("signature", fmt::format("it is not of the {} given", wanted),
                       fmt::format("one by the {}", wanted));
    }
    return nullptr;
  }

  bool check_product(const UnverifiedSnpReport& report, const SnpLeaf& leaf) {
    if (report.cpuid) {
      const auto product = snp_product_of_cpuid(report.cpuid->family, report.cpuid->model);
      const auto shown = fmt::format("CPUID family {:#x} model {:#x}", report.cpuid->family, report.cpuid->model);
      if (!findings_.require(product == leaf.product, "product", shown, leaf.product_name)) return false;
    }
    fill_tcb(report, leaf.product, findings_.unverified_claims());
    return true;
  }

  void check_platform(const UnverifiedSnpReport& report, const SnpLeaf& leaf) {
    const auto reported = snp_tcb(report.reported_tcb, leaf.product);
    findings_.require(reported == leaf.tcb, "reported_tcb", reported.to_string(),
                      fmt::format("that of the certificate: {}", leaf.tcb.to_string()));
    if (leaf.kind == SnpSigner::kVlek) {
      findings_.unverified_claims().details["provider"] = leaf.provider;
      return;
    }
    const BytesView chip(report.chip_id);
    const auto id = chip.first(leaf.hardware_id.size());
    findings_.require(std::ranges::equal(id, leaf.hardware_id) && all_zero(chip.subspan(id.size())), "chip_id",
                      to_hex(chip), fmt::format("that of the certificate: {}", to_hex(leaf.hardware_id)));
  }

  bool check_chain_to_root(const crypto::Certificate& certificate, const SnpLeaf& leaf) {
    const auto root = std::ranges::find(roots_, leaf.product, &SnpRoot::product);
    if (root == roots_.end()) {
      findings_.refuse("chain", fmt::format("there is no root for {}", leaf.product_name), "a pinned ARK");
      return false;
    }
    const auto* issuer = find_issuer(certificate, leaf);
    if (issuer == nullptr) return false;
    if (!findings_.require(crypto::check_chain({certificate, *issuer, root->ark}, now_), "chain",
                           fmt::format("valid certificates up to the pinned {}", root->ark.common_name()))) {
      return false;
    }
    return check_revocation(*issuer, root->ark);
  }

  /// The CA of VCEKs (ASK) or of VLEKs (ASVK) that issued the leaf. Each kind has its own.
  const crypto::Certificate* find_issuer(const crypto::Certificate& certificate, const SnpLeaf& leaf) {
    const auto name =
        fmt::format("SEV-{}{}", leaf.kind == SnpSigner::kVlek ? "VLEK-" : "", snp_product_name(leaf.product));
    for (const auto& candidate : files_.certificates()) {
      if (candidate.common_name() == name && certificate.check_issued_by(candidate)) return &candidate;
    }
    findings_.refuse(
        "chain",
        fmt::format("'{}' is not issued by a '{}' among the certificates given", certificate.common_name(), name),
        fmt::format("the certificate of '{}' that issued it", name));
    return nullptr;
  }

  /// AMD's lists are the ARK's and name ASK and ASVK only; leaves all have serial 0.
  bool check_revocation(const crypto::Certificate& issuer, const crypto::Certificate& ark) {
    bool looked = false;
    for (const auto& crl : files_.crls()) {
      if (crl.issuer() != ark.subject()) continue;
      if (!findings_.require(crl.check_issued_by(ark), "crl", fmt::format("a list by {}", ark.common_name())))
        return false;
      if (!findings_.require(!crl.revokes(issuer.serial()), "revocation",
                             fmt::format("'{}' is revoked", issuer.common_name()), "a CA that is not revoked")) {
        return false;
      }
      looked = looked || crl.validity().contains(now_);
      if (!crl.validity().contains(now_)) stale_ = true;
    }
    if (looked) return true;
    if (stale_) {
      findings_.refuse("crl", fmt::format("the list of {} is not of this time", ark.common_name()), "the current list");
      return false;
    }
    findings_.unverified_claims().missing_crls.push_back(ark.common_name());
    return true;
  }

  const std::vector<SnpRoot>& roots_;
  const UnixSeconds now_;
  Findings& findings_;
  SnpCertificates files_;
  bool stale_ = false;
};

} // namespace

Findings SnpVerifier::verify(const wire::Evidence& evidence, const Endorsements& endorsements,
                             const Expectations& expected, UnixSeconds now) const {
  Findings findings;
  if (findings.require(evidence.tee_kind() == kSnp, "tee", fmt::format("kind '{}'", evidence.tee_kind()),
                       "kind 'snp'")) {
    Check(roots_, now, findings).run(evidence, endorsements, expected);
  }
  return findings;
}

} // namespace tcfdl::attestation
