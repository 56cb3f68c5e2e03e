// What a function's descriptor must say to be of use, and whom it admits.
#pragma once

#include "crypto/hash.hpp"
#include "wire/messages.hpp"

namespace tcfdl::wire {

/// The longest descriptor, bytes.
constexpr std::size_t kMaxDescriptor = 64UL * 1024;

/// A descriptor whose owner signed it (`verify_descriptor`) and that has a version, assurance classes and known
/// protections; of a function a measurement of 32 bytes and TEE kinds, of a topic a policy. INVALID_ARGUMENT names the
/// field; UNAUTHENTICATED for the signature.
Result<Descriptor> check_descriptor(const Signed& unverified);

/// The descriptor of a bundle, as of `check_descriptor`, whose measurement is that of the manifest. INVALID_ARGUMENT
/// for another manifest.
Result<Descriptor> check_bundle(const Signed& unverified, BytesView manifest);

/// What stays of the last descriptor of a name: whose it is and how far its versions went.
struct HeldName {
  crypto::Sha256Digest owner{}; ///< fingerprint of the owner's key
  std::uint64_t version = 0;
  crypto::Sha256Digest statement{}; ///< SHA-256 of the serialised descriptor

  friend bool operator==(const HeldName&, const HeldName&) = default;
};

/// Of a checked descriptor, whose serialised form is `statement`.
HeldName held_name(const Descriptor& descriptor, BytesView statement);

/// Names have owners, and versions never go back. PERMISSION_DENIED for another owner, FAILED_PRECONDITION for a lower
/// version, ALREADY_EXISTS for the same version with other content; each says what to do.
Status check_succession(std::string_view name, const HeldName& held, const HeldName& offered);

/// Whether a checked descriptor is of the function, of the owner and not below the version that the authority states in
/// the scope of a verified key package. PERMISSION_DENIED, FAILED_PRECONDITION for a lower version.
Status check_owner(const KeyScope& scope, const Descriptor& descriptor);

/// The fingerprint of an owner's key as people compare it: SHA-256 of its 65 bytes in hexadecimal.
std::string fingerprint(BytesView owner_key);

/// Whether `providers` names the cluster or '*'.
bool admits_provider(const Descriptor& descriptor, std::string_view cluster);

/// Whether a repeated text field has the text.
template <class Texts> bool contains_text(const Texts& texts, std::string_view wanted) {
  for (const auto& text : texts) {
    if (text == wanted) return true;
  }
  return false;
}

} // namespace tcfdl::wire
