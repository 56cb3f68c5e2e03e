// The signed JSON of Intel's provisioning certification service, versions 2 and 3.
#pragma once

#include "attestation/intel_tcb.hpp"

namespace tcfdl::attestation {

/// The most bytes of a JSON file.
constexpr std::size_t kLargestJson = std::size_t{1} << 20U;

/// A document `{"<member>": {…}, "signature": "<hexadecimal>"}`, in either order; views into its text.
struct SignedJson {
  BytesView body;  ///< the member's exact bytes as received, over which the signature is
  Bytes signature; ///< r ‖ s, 64 bytes

  /// INVALID_ARGUMENT for any other form. The body is not looked into, beyond where it ends.
  static Result<SignedJson> parse(BytesView text, std::string_view member);
};

/// From the bytes of the member `tcbInfo`: version 2 (SGX) or 3. INVALID_ARGUMENT names the key.
Result<TcbInfo> parse_tcb_info(BytesView body);

/// From the bytes of the member `enclaveIdentity`, version 2. INVALID_ARGUMENT names the key.
Result<QeIdentity> parse_qe_identity(BytesView body);

} // namespace tcfdl::attestation
