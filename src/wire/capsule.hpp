// Capsules: the sealed data key of an EAE sender, from its making to its opening. docs/formats/envelope.md.
#pragma once

#include "crypto/sealing.hpp"
#include "wire/signed.hpp"

namespace tcfdl::wire {

/// The longest life of a function's capsule, seconds.
constexpr std::int64_t kCapsuleLifetime = 600;
/// The longest that a message of a topic is kept, seconds.
constexpr std::int64_t kLongestRetention = 30LL * 24 * 3600;
/// How far apart two clocks may be, seconds.
constexpr std::int64_t kClockSkew = 60;

/// What a sender holds to make capsules for one function.
struct SenderKey {
  crypto::Scalar x;
  KeyScope scope;
};

struct MadeCapsule {
  Capsule capsule; ///< in the sender's form
  crypto::CapsuleSecret secret;
};

/// Enc of the paper's section 3.2, equations (1) and (2): a fresh key for `key.scope`'s function.
MadeCapsule make_capsule(const SenderKey& key, const crypto::SigningKey& signer, std::int64_t now,
                         const std::string& instance = {});

/// What a provider's proxy holds: RK(i→f) and for whom.
struct ProxyKey {
  crypto::Scalar rk;
  KeyScope scope;
};

/// Parses the header of a capsule that nobody has checked yet: for finding the key to check it with.
Result<CapsuleHeader> capsule_header_unverified(const Capsule& capsule);

/// ReEnc at the provider's proxy, equation (4): checks life (for a topic as its key's scope has it, from now on), scope
/// and the sender's signature, turns EK2 into f form
/// and countersigns. UNAUTHENTICATED or PERMISSION_DENIED says which check failed, FAILED_PRECONDITION that its time is
/// not now: a new one helps.
Result<Capsule> turn_capsule(const Capsule& unverified, const ProxyKey& key, const crypto::SigningKey& proxy,
                             const Signed& proxy_certificate, std::int64_t now);

/// Checks a capsule in f form: life, the sender's signature, the proxy's certificate and countersignature.
/// `of_topic`: the certificate must have been valid when the capsule was made; the proxy has bounded its life then.
Result<CapsuleHeader> verify_turned_capsule(const Capsule& unverified, const crypto::VerifyKey& authority,
                                            std::int64_t now, bool of_topic = false);

/// ReEnc at the processor's proxy: checks as above and that the scope of RK(f→j) is the capsule's, then gives EK2 the
/// instance's form.
Result<Capsule> finish_capsule(const Capsule& unverified, const ProxyKey& key, const crypto::VerifyKey& authority,
                               std::int64_t now);

/// Dec, equation (5), with EK2 in the holder's form. UNAUTHENTICATED when the commitment does not fit.
Result<crypto::CapsuleSecret> open_capsule(const crypto::DecryptionKey& key, const Capsule& capsule);

/// What a capsule holds that is still (or again) in its sender's form, for the sender: with the key that made it.
/// UNAUTHENTICATED for one that `signer` did not make, FAILED_PRECONDITION for one of another key, as of an epoch that
/// is over. Its life may be over.
Result<crypto::CapsuleSecret> open_own_capsule(const SenderKey& key, const crypto::VerifyKey& signer,
                                               const Capsule& capsule);

} // namespace tcfdl::wire
