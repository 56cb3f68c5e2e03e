// Makes Intel quotes and collateral under a root of the tests, good in every respect unless a test changes something.
#pragma once

#include "attestation/intel_pck.hpp"
#include "attestation/verifier.hpp"
#include "crypto/samples/test_pki.hpp"

#include <functional>

namespace tcfdl::attestation::test {

constexpr UnixSeconds kNow = 1'750'000'000;
constexpr UnixSeconds kDay = 86'400;

/// The keys of everybody, made once for the process.
struct IntelKeys {
  crypto::test::Key root = crypto::test::Key::p256();
  crypto::test::Key ca = crypto::test::Key::p256();
  crypto::test::Key pck = crypto::test::Key::p256();
  crypto::test::Key signer = crypto::test::Key::p256();
  crypto::test::Key attestation = crypto::test::Key::p256();
  crypto::test::Key stranger = crypto::test::Key::p256();

  static const IntelKeys& get();
};

/// The parts of a quote, after they were signed.
struct QuoteParts {
  Bytes header, body;
  Bytes signature, attestation_key;
  Bytes qe_report, qe_report_signature, authentication_data;
  std::string certificates;
  Bytes trailing;
};

struct IntelWorld {
  /// Version 3 is SGX, 4 and 5 are TDX; `td15` (with 5): a body of TDX 1.5.
  explicit IntelWorld(unsigned quote_version = 3, bool td15 = false);

  [[nodiscard]] wire::Evidence evidence() const;
  [[nodiscard]] Endorsements endorsements() const;
  [[nodiscard]] static Expectations expected();
  [[nodiscard]] Bytes quote() const;
  /// The extension of the PCK certificate, in DER.
  [[nodiscard]] Bytes pck_extension() const;
  /// What a verifier with the tests' root finds at `now`.
  [[nodiscard]] Findings verify() const;
  /// Replaces text in `tcb_info` or `qe_identity`, which must have it.
  static void replace(std::string& text, const std::string& old, const std::string& fresh);

  unsigned version;
  UnixSeconds now = kNow;
  // What is signed.
  Bytes body;
  Bytes qe_report;
  PckFacts pck;
  std::string tcb_info;
  std::string qe_identity;
  crypto::test::CertificateText root_text, ca_text, pck_text, signer_text;
  crypto::test::CrlText pck_crl_text, root_crl_text;
  bool bind_key = true; ///< the QE report has the hash of the attestation key
  // What happens to it afterwards.
  std::function<void(QuoteParts&)> damage = [](QuoteParts&) {};
  std::function<void(std::map<std::string, Bytes>&)> damage_files = [](std::map<std::string, Bytes>&) {};
  crypto::test::Key json_key = IntelKeys::get().signer;
};

} // namespace tcfdl::attestation::test
