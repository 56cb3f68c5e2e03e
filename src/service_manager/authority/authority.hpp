// The trusted authority (paper 2.3.1, 3.2): admits subjects, certifies their keys, issues the keys of functions.
#pragma once

#include "attestation/judgement.hpp"
#include "base/guarded.hpp"
#include "service_manager/authority/grants.hpp"
#include "service_manager/authority/key_store.hpp"
#include "service_manager/authority/operations.hpp"
#include "service_manager/authority/tls_authority.hpp"
#include "service_manager/registry/registry.hpp"

namespace tcfdl::service_manager {

struct AuthoritySettings {
  /// 16 bytes that seal the authority's secrets; made at the first start, mode 0600.
  authority::KeyFile key_file;
  /// Of every certificate and key package, seconds. Renewed at half of it.
  std::int64_t certificate_lifetime = 30L * 24 * 3600;
  /// How long an epoch of a function's keys stays valid after the next one came, seconds: longer than capsules live.
  std::int64_t overlap = 900;
  /// What proxies and programs must show, and what it is worth.
  attestation::PolicyDocument policy;
  /// SHA-256 of the policy's file; with a version, the one is kept for the other.
  Bytes policy_hash = {};
  /// Reads what the makers of TEEs say of the platforms that may enrol. Asked at each verdict, so that fresh collateral
  /// needs no restart. Null: nothing is known.
  std::function<Result<std::vector<attestation::Endorsements>>()> endorsements = {};
};

using attestation::Verifiers;

/// What the authority stands on; all outlive it.
struct AuthorityParts {
  database::Database& database;
  OperationLog& log;
  Registry& registry;
  const Verifiers& verifiers;
  const Clock& clock;
};

/// Checks requests and answers them; who may ask is `Service`'s to check. Any thread.
class Authority {
public:
  /// Teaches the log the authority's operations, then opens or makes the secrets. Errors of `authority::KeyStore`;
  /// FAILED_PRECONDITION when the policy's version is below one that was in force, or is one of another content.
  static Result<std::unique_ptr<Authority>> open(const AuthorityParts& parts, AuthoritySettings settings);

  [[nodiscard]] const crypto::VerifyKey& public_key() const noexcept { return keys_->signing_key().public_key(); }

  /// 32 bytes from which the keys of the NATS operator are derived.
  [[nodiscard]] BytesView nats_root() const noexcept { return keys_->nats_root(); }

  /// The authority as the root of TLS; the authority outlives it.
  [[nodiscard]] authority::TlsAuthority tls() const { return {keys_->signing_key(), parts_.clock}; }

  /// A one-time token for one master, worker or client of the cluster. A client's grants are '*' when none are named.
  /// INVALID_ARGUMENT names the field: role, cluster, lifetime (0: one hour; 30 days at most), grants.
  Result<wire::CreateTokenReply> create_token(const wire::CreateToken& request);

  /// Spends the token and certifies the subject's keys and, for nodes, those of its proxy.
  /// UNAUTHENTICATED: the token is unknown, expired or spent, or a signature does not fit. PERMISSION_DENIED: the
  /// token is for another role, or evidence or policy refuse the proxy. ALREADY_EXISTS: the name is another's.
  Result<wire::EnrolReply> enrol(const wire::EnrolRequest& request);

  /// The next certificates of a node of `cluster` and its proxy, for the keys of their enrolment and by evidence that
  /// is younger than the proxy's present certificate. NOT_FOUND; UNAUTHENTICATED for a certificate that is not the
  /// proxy's or is revoked; PERMISSION_DENIED for evidence of other keys, an older one, or one that policy refuses.
  Result<wire::EnrolReply> renew_node(const wire::RenewNode& request, const std::string& cluster);

  /// Certificate and keys of an instance that a proxy of `cluster` launched; for a gateway the certificate alone.
  Result<wire::InstanceKeysReply> instance_keys(const wire::InstanceKeysRequest& request, const std::string& cluster);

  /// A caller's key to a function, and the matching re-encryption key for a proxy of `cluster`.
  /// NOT_FOUND: no such function. PERMISSION_DENIED: the grants, the class, or the proxy's class.
  Result<wire::SenderKeysReply> sender_keys(const wire::SenderKeysRequest& request, const std::string& cluster);
  /// Keys to a topic: of a client with a grant to subscribe, or an instance of a function that topic and function name
  /// as triggered. FAILED_PRECONDITION for an epoch that is over.
  Result<wire::ReceiverKeysReply> receiver_keys(const wire::ReceiverKeysRequest& request, const std::string& cluster);

  /// The attestation result of a proxy, instance or gateway of `cluster`, as a JWT (attestation/result_token.hpp): its
  /// certificate and the evidence of its node, judged by the policy and the collateral of now. The nonce is the
  /// asker's, 8 to 64 bytes or none. UNAUTHENTICATED, PERMISSION_DENIED with all reasons, INVALID_ARGUMENT.
  Result<std::string> attestation_result(const wire::Signed& certificate, BytesView nonce, const std::string& cluster);

  [[nodiscard]] std::uint64_t policy_version() const noexcept { return settings_.policy.version; }

  /// Ends the enrolment of a node or client: its name is free, its certificates get nothing more here. NOT_FOUND.
  Status remove_subject(const std::string& cluster, const std::string& name);

  /// Raises the epoch of a function that the cluster provides. NOT_FOUND; PERMISSION_DENIED for another cluster's;
  /// INVALID_ARGUMENT for an overlap that is not 1 s to 24 h; RESOURCE_EXHAUSTED while too many epochs are valid.
  Result<wire::RotatedKey> rotate_key(const wire::RotateKey& request, const std::string& cluster);
  /// Erases the keys of epochs whose overlap has ended, and the content keys of functions that nobody provides and of
  /// versions that are not the newest, in the tables and in the log; how many.
  Result<std::size_t> erase_retired_keys();

  /// What owners seal content keys to: a signed SealKey.
  [[nodiscard]] wire::Signed signed_seal_key() const;
  /// The content key that a function's owner sends with the registration of its descriptor. Errors of
  /// `wire::open_content_key`.
  [[nodiscard]] Result<crypto::SecretBytes> open_content_key(const wire::KeyPackage& unverified,
                                                             const wire::Signed& unverified_descriptor) const;
  /// Keeps it for the instances of that version, once its descriptor is registered. ALREADY_EXISTS for another key.
  Status keep_content_key(const wire::Signed& registered_descriptor, const crypto::SecretBytes& key);

  /// Puts certificates of the cluster on the revocation list; a node's or client's enrolment ends too. NOT_FOUND.
  Status revoke(const wire::Revoke& request, const std::string& cluster);
  /// The signed RevocationList, and its number; 0 while there is none.
  Result<wire::Signed> revocations();
  Result<std::uint64_t> revocation_number();

  /// What a client of the cluster may call from now on, beside and without what it might. Certificates that say
  /// otherwise go onto the revocation list; `renew_certificate` gives the next one. INVALID_ARGUMENT: no grant, or more
  /// than a client may have; NOT_FOUND: no such client, or it has not what is to be removed.
  Result<wire::EnrolledClient> change_grants(const wire::ChangeGrants& request, const std::string& cluster);
  Result<wire::Clients> clients(const std::string& cluster);
  /// A client's next certificate: for the keys of its enrolment, with the grants of now. NOT_FOUND; UNAUTHENTICATED for
  /// a key that was revoked.
  Result<wire::Signed> renew_certificate(const std::string& client, const std::string& cluster);

  /// Whether the subject of a verified certificate is still enrolled with the key that it certifies; for proxies,
  /// instances and gateways: whether their node is. UNAUTHENTICATED otherwise.
  Status check_enrolled(const wire::Certificate& certificate);

private:
  struct Proxy {
    wire::Certificate certificate;
    std::string assurance;
    attestation::Findings findings; ///< accepted
  };
  /// A key package that is to be made.
  struct Order {
    wire::KeyScope scope;
    crypto::SecretBytes secret;
  };
  struct Judged {
    std::string tee_kind;
    std::string assurance;
    Bytes measurement;
  };
  /// A verdict on evidence that was judged before.
  struct Rejudged {
    attestation::Findings findings;
    crypto::Sha256Digest evidence_hash;
  };

  Authority(const AuthorityParts& parts, AuthoritySettings settings, std::unique_ptr<authority::KeyStore> keys)
      : parts_(parts), settings_(std::move(settings)), keys_(std::move(keys)) {}

  [[nodiscard]] UnixSeconds expiry() const { return parts_.clock.now() + settings_.certificate_lifetime; }
  [[nodiscard]] Result<Judged> judge_proxy(const wire::EnrolRequest& request) const;
  /// The evidence with which the certificate's node enrolled, judged as if it enrolled now.
  [[nodiscard]] Result<Rejudged> judge_again(const wire::Certificate& certificate) const;
  [[nodiscard]] Result<attestation::Findings> judge(const wire::Evidence& evidence, wire::Role role,
                                                    const attestation::Expectations& expected) const;
  Result<authority::ClientRow> find_client(const std::string& client, const std::string& cluster);
  Result<wire::EnrolReply> certify_node(const wire::EnrolRequest& request, const std::string& cluster,
                                        const Judged& judged);
  /// Puts the epoch that is in force into a parsed descriptor: its owner's, or a higher one of `rotate_key`.
  Status put_epoch_in_force(wire::Descriptor& descriptor);
  Status raise_epoch(const std::string& function, std::uint32_t epoch, std::uint32_t retired, std::int64_t until);
  Status end_enrolment(const wire::Revoke& request, const std::string& cluster);
  Result<wire::RevocationList> compose_revocations(std::uint64_t number);
  Result<Proxy> check_proxy(const wire::Signed& certificate, const std::string& cluster);
  /// A version that an instance may run, and the number of the one that is in force, which callers hold it against.
  struct Admitted {
    wire::Descriptor descriptor;
    wire::Signed signed_descriptor;
    std::uint64_t in_force = 0;
  };
  Result<Admitted> admit_instance(const wire::InstanceStatement& statement, const Proxy& proxy);
  [[nodiscard]] wire::Certificate instance_certificate(const wire::Signed& signed_statement,
                                                       const wire::InstanceStatement& statement,
                                                       const Proxy& proxy) const;
  Result<std::pair<Order, Order>> processor_orders(const wire::Certificate& holder, const wire::Descriptor& descriptor,
                                                   const std::string& assurance, const Proxy& proxy);
  /// Who may have keys to receive what is sent to a topic.
  Status check_receiver(const wire::Certificate& holder, const wire::Descriptor& topic);
  /// Puts the epoch that is asked for into a parsed descriptor: one that is in force, or not over yet.
  Status put_epoch(std::uint32_t wanted, wire::Descriptor& descriptor);
  /// The content key for an attested instance of the bundle, where there is one.
  Result<std::optional<Order>> content_order(const wire::Certificate& instance, const Admitted& admitted,
                                             const Proxy& proxy);
  Result<std::pair<Order, Order>> sender_orders(const wire::Certificate& caller, const wire::Descriptor& descriptor,
                                                const std::string& assurance, const Proxy& proxy);
  /// Numbers the certificates and packages and records who gets what.
  Status number(std::initializer_list<wire::Certificate*> certificates, const std::vector<Order*>& orders,
                const std::string& cluster);
  Result<wire::KeyPackage> fill(const Order& order);

  const AuthorityParts parts_;
  const AuthoritySettings settings_;
  const std::unique_ptr<authority::KeyStore> keys_;
  Guarded<std::pair<std::uint64_t, wire::Signed>> list_; ///< as last signed, by number
};

} // namespace tcfdl::service_manager
