#include "service_manager/authority/key_store.hpp"

#include "crypto/ed25519.hpp"
#include "crypto/random.hpp"
#include "service_manager/operations.pb.h"

namespace tcfdl::service_manager::authority {
namespace {

using database::Row;

constexpr std::string_view kSigningKeyName = "authority key";
constexpr std::string_view kNatsRootName = "root of the NATS keys";

std::string name_of(const FunctionKeyId& id) {
  return fmt::format("key of function {}, class {}, epoch {}", id.function, id.assurance, id.epoch);
}

std::string name_of(const ContentKeyId& id) {
  return fmt::format("content key of function {}, version {}", id.function, id.version);
}

Result<crypto::HpkePrivateKey> derive_seal_key(const crypto::SigningKey& signing_key) {
  const auto root = signing_key.private_bytes();
  const auto secret = crypto::hkdf_sha256(root.span(), {}, as_bytes("tcfdl/1/authority-seal-key"), 32);
  return crypto::HpkePrivateKey::derive(secret.span());
}

Result<std::optional<Bytes>> sealed_signing_key(database::Database& database) {
  return database.query_one("SELECT sealed FROM authority_key", {}, [](const Row& row) { return row.blob(0); });
}

Result<crypto::SigningKey> make_signing_key(OperationLog& log, const Vault& vault) {
  auto key = crypto::SigningKey::generate();
  TCFDL_ASSIGN(const auto sealed, vault.seal(kSigningKeyName, key.private_bytes().span()));
  AuthorityKeyMade made;
  made.set_sealed(wire::field(sealed));
  TCFDL_TRY(log.append(made));
  return key;
}

Result<crypto::SigningKey> open_signing_key(const Vault& vault, BytesView sealed) {
  TCFDL_ASSIGN(const auto secret, vault.open_sealed(kSigningKeyName, sealed));
  return crypto::SigningKey::from_private_bytes(secret.span());
}

/// Made at the first call.
Result<crypto::SecretBytes> open_nats_root(database::Database& database, OperationLog& log, const Vault& vault) {
  TCFDL_ASSIGN(const auto sealed,
               database.query_one("SELECT sealed FROM nats_root", {}, [](const Row& row) { return row.blob(0); }));
  if (sealed) return vault.open_sealed(kNatsRootName, *sealed);
  const auto root = crypto::random_secret<crypto::kEd25519KeySize>();
  NatsRootMade made;
  TCFDL_ASSIGN(const auto fresh, vault.seal(kNatsRootName, root.span()));
  made.set_sealed(wire::field(fresh));
  TCFDL_TRY(log.append(made));
  return crypto::SecretBytes::copy_of(root.span());
}

} // namespace

Result<std::unique_ptr<KeyStore>> KeyStore::open(database::Database& database, OperationLog& log,
                                                 const KeyFile& key_file) {
  // What is erased is overwritten.
  TCFDL_TRY(database.execute("PRAGMA secure_delete = ON"));
  TCFDL_ASSIGN(const auto sealed, sealed_signing_key(database));
  TCFDL_ASSIGN(auto vault, Vault::open(key_file, !sealed.has_value()));
  TCFDL_ASSIGN(auto nats_root, open_nats_root(database, log, vault));
  TCFDL_ASSIGN(auto key, sealed ? open_signing_key(vault, *sealed) : make_signing_key(log, vault));
  TCFDL_ASSIGN(auto seal_key, derive_seal_key(key));
  std::unique_ptr<KeyStore> store(
      new KeyStore(database, log, std::move(vault), std::move(key), std::move(seal_key), std::move(nats_root)));
  TCFDL_TRY(store->check_all());
  return store;
}

Result<crypto::Scalar> KeyStore::open_scalar(const FunctionKeyId& id, BytesView sealed) const {
  TCFDL_ASSIGN(const auto secret, vault_.open_sealed(name_of(id), sealed));
  return crypto::Scalar::from_bytes(secret.span());
}

Status KeyStore::check_all() {
  const auto check_content = [this](const Row& row) -> Status {
    const ContentKeyId id{.function = row.text(0), .version = static_cast<std::uint64_t>(row.integer(1))};
    TCFDL_TRY(vault_.open_sealed(name_of(id), row.blob(2)));
    return {};
  };
  TCFDL_TRY(database_.query("SELECT function, version, sealed FROM content_keys", {}, check_content));
  return database_.query(
      "SELECT function, assurance, epoch, sealed FROM function_keys", {}, [this](const Row& row) -> Status {
        const FunctionKeyId id{
            .function = row.text(0), .assurance = row.text(1), .epoch = static_cast<std::uint32_t>(row.integer(2))};
        TCFDL_TRY(open_scalar(id, row.blob(3)));
        return {};
      });
}

Result<std::optional<crypto::Scalar>> KeyStore::find(const FunctionKeyId& id) {
  TCFDL_ASSIGN(const auto sealed,
               database_.query_one(
                   "SELECT sealed FROM function_keys WHERE function = ? AND assurance = ? AND epoch = ?",
                   {id.function, id.assurance, std::int64_t{id.epoch}}, [](const Row& row) { return row.blob(0); }));
  if (!sealed) return std::optional<crypto::Scalar>();
  TCFDL_ASSIGN(auto key, open_scalar(id, *sealed));
  return std::optional<crypto::Scalar>(std::move(key));
}

Status KeyStore::make(const FunctionKeyId& id) {
  TCFDL_ASSIGN(const auto sealed, vault_.seal(name_of(id), crypto::Scalar::random().to_bytes().span()));
  FunctionKeyMade made;
  made.set_function(id.function);
  made.set_assurance(id.assurance);
  made.set_epoch(id.epoch);
  made.set_sealed(wire::field(sealed));
  const auto appended = log_.append(made);
  // Another thread may have made it since.
  if (!appended && appended.error().code() != Code::kAlreadyExists) return appended.error();
  return {};
}

Result<crypto::Scalar> KeyStore::function_key(const FunctionKeyId& id) {
  TCFDL_ASSIGN(auto known, find(id));
  if (known) return *std::move(known);
  TCFDL_TRY(make(id));
  TCFDL_ASSIGN(auto made, find(id));
  if (made) return *std::move(made);
  return make_error(Code::kInternal, "the {} was made and is not there", name_of(id));
}

Status KeyStore::put_content_key(const ContentKeyId& id, BytesView key) {
  return database_.transaction([&]() -> Status { // since two clusters may bring the same one
    TCFDL_ASSIGN(const auto known, content_key(id));
    if (known && crypto::equal_constant_time(known->span(), key)) return {};
    if (known) return make_error(Code::kAlreadyExists, "there is another {} already; raise the version", name_of(id));
    TCFDL_ASSIGN(const auto sealed, vault_.seal(name_of(id), key));
    ContentKeyMade made;
    made.set_function(id.function);
    made.set_version(id.version);
    made.set_sealed(wire::field(sealed));
    TCFDL_TRY(log_.append(made));
    return {};
  });
}

Result<std::optional<crypto::SecretBytes>> KeyStore::content_key(const ContentKeyId& id) {
  TCFDL_ASSIGN(const auto sealed,
               database_.query_one("SELECT sealed FROM content_keys WHERE function = ? AND version = ?",
                                   {id.function, static_cast<std::int64_t>(id.version)},
                                   [](const Row& row) { return row.blob(0); }));
  if (!sealed) return std::optional<crypto::SecretBytes>();
  TCFDL_ASSIGN(auto key, vault_.open_sealed(name_of(id), *sealed));
  return std::optional<crypto::SecretBytes>(std::move(key));
}

} // namespace tcfdl::service_manager::authority
