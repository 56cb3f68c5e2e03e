// How the authority's operations change its tables, and the rows that they make.
#pragma once

#include "service_manager/operation_log.hpp"

namespace tcfdl::service_manager::authority {

/// Teaches `log` AuthorityKeyMade, FunctionKeyMade, TokenCreated, Enrolled, SubjectRemoved, NatsRootMade,
/// NatsUserRevoked, PolicyAdopted, Issued, FunctionEpochRaised, FunctionKeysErased, CertificatesRevoked,
/// GrantsChanged, NodeRenewed, ContentKeyMade and ContentKeyErased.
void teach(OperationLog& log);

struct Token {
  wire::Role role = wire::ROLE_UNSPECIFIED;
  std::string cluster;
  UnixSeconds expires = 0;
  std::vector<std::string> grants;
};

/// A token that may be spent now. UNAUTHENTICATED says whether it is unknown, expired or spent.
Result<Token> usable_token(database::Database& database, BytesView hash, UnixSeconds now);

/// Who enrolled under a name, as far as later requests need it.
struct Subject {
  wire::Role role = wire::ROLE_UNSPECIFIED;
  Bytes verify_key;
  Bytes platform_key;
  Bytes proxy_verify_key;
  Bytes proxy_seal_key;
};

Result<std::optional<Subject>> find_subject(database::Database& database, const std::string& cluster,
                                            const std::string& name);

/// With what a node enrolled or was renewed last.
struct NodeEvidence {
  wire::Role role = wire::ROLE_UNSPECIFIED;
  Bytes platform_key;
  Bytes evidence; ///< wire::Evidence
  Bytes previous; ///< the one before the last renewal, since certificates of it are in use for a while; or empty
  UnixSeconds enrolled = 0;
};

Result<std::optional<NodeEvidence>> find_evidence(database::Database& database, const std::string& cluster,
                                                  const std::string& node);

/// Keeps a policy's version with the hash of its file; 0 is none, and is not kept. FAILED_PRECONDITION when a higher
/// version was kept, or this one with another hash.
Status adopt_policy(database::Database& database, OperationLog& log, std::uint64_t version, BytesView hash);

/// A client as it is enrolled.
struct ClientRow {
  std::string name;
  Bytes verify_key;
  Bytes seal_key;
  std::vector<std::string> grants;
  UnixSeconds enrolled = 0;
};

/// The clients of a cluster by name: all of them, or the one of that name.
Result<std::vector<ClientRow>> clients_of(database::Database& database, const std::string& cluster,
                                          const std::string& only = {});

/// The epoch of the function's keys, if it was ever raised.
Result<std::optional<std::uint32_t>> raised_epoch(database::Database& database, const std::string& function);

/// UNAUTHENTICATED when the certificate's serial or the key is on the revocation list. Serial 0: a key without one.
Status check_not_revoked(database::Database& database, std::uint64_t serial, BytesView verify_key,
                         std::string_view holder);

/// ALREADY_EXISTS when the name is another's: of another key or role.
Status check_name(database::Database& database, const std::string& cluster, const std::string& name, wire::Role role,
                  BytesView verify_key);

/// The serial number of the item at `index` of an operation's items.
constexpr std::uint64_t serial_of(const Operation& operation, std::uint64_t index) { return operation.seq * 8 + index; }

} // namespace tcfdl::service_manager::authority
