// All TEE kinds that evidence can be of.
#pragma once

#include "attestation/verifier.hpp"

namespace tcfdl::attestation {

/// A verifier for each kind, with the makers' roots.
Verifiers all_verifiers();

/// The verifier of that kind; null if there is none.
const Verifier* find_verifier(const Verifiers& verifiers, std::string_view tee_kind);

/// Files of a directory as collateral, by name; NOT_FOUND and RESOURCE_EXHAUSTED (more than 4 MiB a file, more than 64
/// files) name the file.
Result<std::map<std::string, Bytes>> read_collateral(const std::string& directory);

} // namespace tcfdl::attestation
