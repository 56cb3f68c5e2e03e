// Which TEE's evidence the proxy gives: what its node's configuration names, never anything else.
#pragma once

#include "crypto/signature.hpp"
#include "tee/attester.hpp"

#include <filesystem>

namespace tcfdl::tee_proxy {

struct TeeSettings {
  std::string tee;            ///< `software`, `gramine` or `tsm`
  std::filesystem::path root; ///< of the attestation interface; empty: the TEE's own. None for `software`
};

/// Reports of the software TEE, signed by the platform key.
class SoftwareAttester final : public tee::Attester {
public:
  /// `platform_key` must outlive this.
  SoftwareAttester(const crypto::SigningKey& platform_key, std::string node)
      : platform_key_(platform_key), node_(std::move(node)) {}

  [[nodiscard]] Result<wire::Evidence> attest(BytesView report_data) override;
  [[nodiscard]] std::string description() const override;

private:
  const crypto::SigningKey& platform_key_;
  const std::string node_;
};

/// INVALID_ARGUMENT for an unknown TEE or a root of the software TEE; FAILED_PRECONDITION when the TEE is not there.
Result<std::unique_ptr<tee::Attester>> make_attester(const TeeSettings& settings,
                                                     const crypto::SigningKey& platform_key, const std::string& node);

} // namespace tcfdl::tee_proxy
