// The authority's long-lived secrets: its signing key, the functions' keys f, keys of content, the root of the NATS
// keys.
#pragma once

#include "crypto/hpke.hpp"
#include "crypto/signature.hpp"
#include "service_manager/authority/vault.hpp"
#include "service_manager/operation_log.hpp"

namespace tcfdl::service_manager::authority {

/// What one f is for.
struct FunctionKeyId {
  std::string function;
  std::string assurance;
  std::uint32_t epoch = 0;
};

/// Of which bundle a content key is: versions of a function have one content each.
struct ContentKeyId {
  std::string function;
  std::uint64_t version = 0;
};

/// Keeps secrets in the database, sealed. Any thread; database and log outlive it.
class KeyStore {
public:
  /// Opens every stored secret once, and makes key file and signing key at the first start. Errors of `Vault`: do not
  /// start then. The log knows the module's operations already.
  static Result<std::unique_ptr<KeyStore>> open(database::Database& database, OperationLog& log,
                                                const KeyFile& key_file);

  [[nodiscard]] const crypto::SigningKey& signing_key() const noexcept { return signing_key_; }

  /// What owners seal content keys to; derived from the signing key, so that it needs no copy of its own.
  [[nodiscard]] const crypto::HpkePrivateKey& seal_key() const noexcept { return seal_key_; }

  /// 32 bytes from which the keys of the NATS operator and its accounts are derived.
  [[nodiscard]] BytesView nats_root() const noexcept { return nats_root_.span(); }

  /// f of the function, class and epoch; made at the first call.
  Result<crypto::Scalar> function_key(const FunctionKeyId& id);

  /// Keeps the content key of a bundle; again the same one is no error. ALREADY_EXISTS for another one.
  Status put_content_key(const ContentKeyId& id, BytesView key);
  Result<std::optional<crypto::SecretBytes>> content_key(const ContentKeyId& id);

private:
  KeyStore(database::Database& database, OperationLog& log, Vault vault, crypto::SigningKey signing_key,
           crypto::HpkePrivateKey seal_key, crypto::SecretBytes nats_root)
      : database_(database), log_(log), vault_(std::move(vault)), signing_key_(std::move(signing_key)),
        seal_key_(std::move(seal_key)), nats_root_(std::move(nats_root)) {}
  Result<std::optional<crypto::Scalar>> find(const FunctionKeyId& id);
  Result<crypto::Scalar> open_scalar(const FunctionKeyId& id, BytesView sealed) const;
  Status make(const FunctionKeyId& id);
  Status check_all();

  database::Database& database_;
  OperationLog& log_;
  const Vault vault_;
  const crypto::SigningKey signing_key_;
  const crypto::HpkePrivateKey seal_key_;
  const crypto::SecretBytes nats_root_;
};

} // namespace tcfdl::service_manager::authority
