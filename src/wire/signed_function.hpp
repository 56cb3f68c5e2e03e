// A function that its owner signed, on its way to whoever deploys it. docs/formats/function.md.
#pragma once

#include "wire/manifest.hpp"
#include "wire/messages.hpp"

namespace tcfdl::wire {

/// The longest document, bytes: it is the body of one request.
constexpr std::size_t kMaxSignedFunction = std::size_t{2} << 20U;

struct SignedFunction {
  Signed signed_descriptor;
  Descriptor descriptor; ///< of signed_descriptor
  std::string manifest;  ///< JSON, byte for byte what is measured
  Manifest parsed;       ///< of manifest
  std::string settings;  ///< JSON: scale, resources and labels, which the deployer may change; unsigned
  /// Of its confidential files, sealed to the authority; there if and only if the manifest has such files.
  std::optional<KeyPackage> content_key = {};
};

/// Parses the document and checks what holds it together: the signatures, the measurement, the manifest. Whether the
/// signer owns the name is the registry's to say. INVALID_ARGUMENT names what is wrong; UNAUTHENTICATED for the
/// signature.
Result<SignedFunction> parse_signed_function(BytesView json);

/// The document, also the body by which a function is deployed.
std::string write_signed_function(const SignedFunction& function);

} // namespace tcfdl::wire
