// A certificate that is replaced while it is in use.
#pragma once

#include "base/guarded.hpp"
#include "base/renewal.hpp"
#include "wire/signed.hpp"

#include <memory>

namespace tcfdl::wire {

/// The newest certificate of a subject. Thread-safe; copies are one.
class HeldCertificate {
public:
  /// Empty for one that is not there yet.
  explicit HeldCertificate(Signed certificate = {})
      : held_(std::make_shared<Guarded<Signed>>(std::move(certificate))) {}

  [[nodiscard]] Signed get() const {
    return held_->with([](const auto& certificate) { return certificate; });
  }

  /// Takes a newer certificate of the same subject, role, cluster, node and keys; one that is not newer changes
  /// nothing. UNAUTHENTICATED for any other, or a foreign signature.
  Status adopt(const Signed& unverified, const crypto::VerifyKey& authority, std::int64_t now) const;

  /// Of the certificate as it is now; all 0 for one that is not there.
  [[nodiscard]] Lifetime lifetime() const;

private:
  std::shared_ptr<Guarded<Signed>> held_;
};

} // namespace tcfdl::wire
