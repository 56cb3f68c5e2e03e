// What SGX and TDX quotes claim.
#pragma once

#include "attestation/findings.hpp"
#include "attestation/intel_quote.hpp"

namespace tcfdl::attestation {

/// The claims of the report in a quote, without what only collateral can say.
Claims claims_of(const IntelQuote& quote);

} // namespace tcfdl::attestation
