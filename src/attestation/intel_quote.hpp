// Quotes of Intel SGX and TDX: their form only. Sources: Intel SGX ECDSA Quote Library API, Intel TDX DCAP Quoting
// Library API, appendices on the quote format; Intel SDM volume 3D (report of an enclave); TDX module base
// specification (TD report).
#pragma once

#include "base/result.hpp"

#include <tcfdl/bytes.hpp>

namespace tcfdl::attestation {

/// The most bytes that a quote may have, with what follows it in its file.
constexpr std::size_t kLargestQuote = std::size_t{1} << 20U;

/// Fields of the report of an enclave (384 bytes), as views into it.
struct SgxReport {
  BytesView cpusvn;     ///< 16
  BytesView miscselect; ///< 4
  BytesView attributes; ///< 16: flags, then XFRM
  BytesView mrenclave;  ///< 32
  BytesView mrsigner;   ///< 32
  std::uint16_t isv_prod_id = 0;
  std::uint16_t isv_svn = 0;
  BytesView report_data; ///< 64

  /// Of exactly 384 bytes.
  static SgxReport of(std::span<const std::uint8_t, 384> report);
};

/// Fields of the report of a TD (584 bytes, 648 with TDX 1.5), as views into it.
struct TdReport {
  BytesView tee_tcb_svn; ///< 16
  BytesView mr_seam;     ///< 48, as all measurements here
  BytesView mr_signer_seam;
  BytesView seam_attributes; ///< 8
  BytesView td_attributes;   ///< 8
  BytesView xfam;            ///< 8
  BytesView mr_td;
  BytesView mr_config_id;
  BytesView mr_owner;
  BytesView mr_owner_config;
  std::array<BytesView, 4> rtmr;
  BytesView report_data;   ///< 64
  BytesView tee_tcb_svn_2; ///< 16; empty before TDX 1.5
  BytesView mr_service_td; ///< empty before TDX 1.5

  /// Of 584 or 648 bytes.
  static TdReport of(BytesView body);
};

/// A quote; views point into the bytes that were parsed, which outlive it.
struct IntelQuote {
  std::uint64_t version = 0;
  bool tdx = false;
  BytesView body;                ///< sgx: 384 bytes; tdx: 584 or 648
  BytesView signed_part;         ///< header and body: what `signature` is over
  BytesView signature;           ///< r ‖ s
  BytesView attestation_key;     ///< x ‖ y
  BytesView qe_report;           ///< 384 bytes
  BytesView qe_report_signature; ///< r ‖ s
  BytesView qe_authentication_data;
  BytesView certificates;   ///< PEM of the PCK certificate and its issuers
  std::size_t trailing = 0; ///< bytes after the quote, which mean nothing

  /// An SGX quote of version 3, or a TDX quote of version 4 or 5, with ECDSA on P-256 and a PCK chain inside.
  /// INVALID_ARGUMENT names the field that is too long or of another kind.
  static Result<IntelQuote> parse(BytesView bytes);
};

} // namespace tcfdl::attestation
