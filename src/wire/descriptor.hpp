// What a function's descriptor must say to be of use, and whom it admits.
#pragma once

#include "wire/messages.hpp"

namespace tcfdl::wire {

/// The longest descriptor, bytes.
constexpr std::size_t kMaxDescriptor = 64UL * 1024;

/// A descriptor whose owner signed it (`verify_descriptor`) and that has a version, a measurement of 32 bytes, TEE
/// kinds, assurance classes and known protections. INVALID_ARGUMENT names the field; UNAUTHENTICATED for the signature.
Result<Descriptor> check_descriptor(const Signed& unverified);

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
