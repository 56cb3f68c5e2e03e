// What the administration API needs from the master. Every port is thread-safe and outlives the service.
#pragma once

#include "base/ids.hpp"
#include "wire/messages.hpp"

#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>
#include <stop_token>
#include <utility>
#include <vector>

namespace tcfdl::api_service {

using Json = nlohmann::json;

/// When a run of an instance counts as failed, and when a new version has shown that it works. Milliseconds.
struct HealthSettings {
  std::uint32_t ready_within_ms = 30'000;
  std::uint32_t answer_within_ms = 10'000;
  std::uint32_t overdue_ms = 30'000;
  std::uint32_t trial_ms = 5'000;
  std::uint32_t failures = 3;
};

/// How many instances of a function are kept, what each needs and where it may run.
struct FunctionSettings {
  std::uint32_t least = 1;            ///< instances
  std::uint32_t most = 1;             ///< instances
  std::uint32_t response_time_ms = 0; ///< 0: no target
  std::uint32_t warm = 0;             ///< instances more that stand ready
  std::uint64_t memory = 0;           ///< bytes an instance, its limit; 0: no limit
  std::uint64_t enclave_memory = 0;   ///< bytes an instance; 0: nothing is said
  std::uint32_t millicores = 0;       ///< of an instance; 0: nothing is said
  std::uint32_t most_millicores = 0;  ///< that an instance may use; 0: no limit
  std::uint32_t processes = 0;        ///< and threads, that an instance may have; 0: the node's limit
  std::vector<std::pair<std::string, std::string>> labels;
  HealthSettings health;
};

/// A function as its owner sent it: nothing of it is verified.
struct Deployment {
  wire::Signed unverified_descriptor;
  std::string manifest; ///< JSON, as hashed into the descriptor's measurement
  FunctionSettings settings;
  std::optional<wire::KeyPackage> unverified_content_key = {}; ///< where the manifest has confidential files
};

/// Other bounds for the instances of a function; what is absent stays.
struct ScaleChange {
  std::optional<std::uint32_t> least;
  std::optional<std::uint32_t> most;
  std::optional<std::uint32_t> response_time_ms; ///< 0: no target
  std::optional<std::uint32_t> warm;
};

struct Deployed {
  bool created = false; ///< false: the same version was there, or an older one was replaced
  Json function;
};

class Functions {
public:
  virtual ~Functions() = default;
  /// An array of functions, own and of other clusters.
  virtual Result<Json> list() = 0;
  /// NOT_FOUND.
  virtual Result<Json> get(const FunctionName& name) = 0;
  /// UNAUTHENTICATED or PERMISSION_DENIED for the descriptor, FAILED_PRECONDITION for an older version or artefacts
  /// that are not stored.
  virtual Result<Deployed> deploy(const Deployment& deployment) = 0;
  /// Gives the function. NOT_FOUND; INVALID_ARGUMENT for a most below the least.
  virtual Result<Json> set_scale(const FunctionName& name, const ScaleChange& change) = 0;
  /// NOT_FOUND.
  virtual Status remove(const FunctionName& name) = 0;
  /// {seal_key}: what the keys of confidential files are sealed to, a signed SealKey of the authority in base64url.
  /// UNAVAILABLE while the service manager is out of reach.
  virtual Result<Json> seal_key() = 0;
  /// Has the authority make keys of a next epoch; gives {name, epoch, until}: until when, in Unix seconds, the one
  /// before is valid. `overlap` 0: the authority's own. NOT_FOUND, PERMISSION_DENIED, INVALID_ARGUMENT for the overlap.
  virtual Result<Json> rotate_key(const FunctionName& name, std::chrono::seconds overlap) = 0;
};

/// Files by SHA-256; digests are 64 lower-case hexadecimal digits.
class Artefacts {
public:
  virtual ~Artefacts() = default;
  virtual Result<bool> contains(const std::string& digest) = 0;
  /// Stores the content. INVALID_ARGUMENT when it has another digest.
  virtual Status put(const std::string& digest, BytesView content) = 0;
  /// NOT_FOUND.
  virtual Result<Bytes> get(const std::string& digest) = 0;
};

class Cluster {
public:
  virtual ~Cluster() = default;
  /// The document of GET /v1/status.
  virtual Result<Json> status() = 0;
  /// Whether a node is to have no instances; gives {node, drained}. NOT_FOUND for one to drain that is not there.
  virtual Result<Json> set_drained(const std::string& node, bool drained) = 0;
  /// The authority's attestation result of a node's proxy, an instance or a gateway, as {subject, token}. The nonce has
  /// 8 to 64 bytes or none. NOT_FOUND; PERMISSION_DENIED with the reasons of the policy; UNAVAILABLE while the service
  /// manager is out of reach.
  virtual Result<Json> attestation_result(const std::string& subject, BytesView nonce) = 0;
};

class Topics {
public:
  virtual ~Topics() = default;
  /// An array of topics.
  virtual Result<Json> topics() = 0;
  /// NOT_FOUND.
  virtual Result<Json> topic(const FunctionName& name) = 0;
  /// Makes a topic or takes another version of it; gives it. UNAUTHENTICATED or PERMISSION_DENIED for the descriptor,
  /// FAILED_PRECONDITION for an older version, RESOURCE_EXHAUSTED for what it would keep.
  virtual Result<Json> put_topic(const wire::Signed& unverified) = 0;
  /// With its messages and subscriptions. NOT_FOUND.
  virtual Status remove_topic(const FunctionName& name) = 0;
};

/// One thread at a time.
class LogFollower {
public:
  virtual ~LogFollower() = default;
  /// What was printed since the last time, as `Logs::read` gives it, as soon as there is something; empty after a while
  /// without. Nullopt at the end: once `gone`, and when the function was removed.
  virtual std::optional<Json> next(const std::stop_token& gone) = 0;
};

class Logs {
public:
  virtual ~Logs() = default;
  /// An array of {instance, text}, the last `bytes` of each instance. NOT_FOUND; PERMISSION_DENIED where the function's
  /// policy keeps its output inside the TEE.
  virtual Result<Json> read(const FunctionName& name, std::size_t bytes) = 0;
  /// The same, and then what is printed from now on. Errors of `read`.
  virtual Result<std::unique_ptr<LogFollower>> follow(const FunctionName& name, std::size_t bytes) = 0;
};

struct TokenRequest {
  wire::Role role = wire::ROLE_UNSPECIFIED; ///< master, worker or client
  std::string cluster;                      ///< empty: the master's own
  std::chrono::seconds lifetime{3600};
  std::vector<std::string> grants; ///< functions a client may call
};

struct IssuedToken {
  std::string token;        ///< a secret
  std::int64_t expires = 0; ///< Unix seconds
};

class Tokens {
public:
  virtual ~Tokens() = default;
  /// UNAVAILABLE while the service manager is out of reach.
  virtual Result<IssuedToken> create(const TokenRequest& request) = 0;
};

/// What callers of the API may do, as their `http::Caller::level`; each may all that those before it may.
enum class Level : std::uint8_t {
  kViewer = 1, ///< everything that only reads, but for logs, tokens and records
  kCaller,
  kDeployer, ///< functions, their artefacts and logs
  kAdmin,    ///< who may join, who may administer, the audit log
};

struct AccessRequest {
  std::string name;
  std::string role; ///< viewer, caller, deployer or admin
  std::chrono::seconds lifetime{3600};
};

/// Who may use this API.
class Access {
public:
  virtual ~Access() = default;
  /// INVALID_ARGUMENT; ALREADY_EXISTS for a name that has access.
  virtual Result<IssuedToken> grant(const AccessRequest& request) = 0;
  /// An array of {name, role, created, expires}, times in Unix seconds.
  virtual Result<Json> principals() = 0;
  /// NOT_FOUND, PERMISSION_DENIED.
  virtual Status revoke(const std::string& name) = 0;
  /// An array of the newest records, newest first: {number, time, who, role, from, action, object, allowed, outcome}.
  virtual Result<Json> records(std::int64_t limit) = 0;
};

class Enrolment {
public:
  virtual ~Enrolment() = default;
  /// Passes an enrolment on to the authority. UNAUTHENTICATED for a token that is unknown, used or expired.
  virtual Result<wire::AuthorityReply> enrol(const wire::AuthorityRequest& request) = 0;
  /// Ends a worker's enrolment and its credential. NOT_FOUND; UNAVAILABLE while the service manager is out of reach.
  virtual Status revoke_node(const std::string& node) = 0;
  /// Revoke certificates and keys of an instance of this cluster, or of a client, whose enrolment ends. The same
  /// errors.
  virtual Status revoke_instance(const std::string& instance) = 0;
  virtual Status revoke_client(const std::string& client) = 0;
  /// A client's certificate of now for one that it has: {certificate, tls_chain}, a wire::Signed and X.509 from the
  /// leaf to the root, in base64url. UNAUTHENTICATED for one that is none or whose key is revoked; UNAVAILABLE.
  virtual Result<Json> certificate_of_now(const wire::Signed& unverified) = 0;
  /// An array of {name, grants, enrolled}, enrolled in Unix seconds. UNAVAILABLE.
  virtual Result<Json> clients() = 0;
  /// {name, grants, enrolled} of the client after the change. INVALID_ARGUMENT, NOT_FOUND, UNAVAILABLE.
  virtual Result<Json> change_grants(const wire::ChangeGrants& change) = 0;
};

class Metrics {
public:
  virtual ~Metrics() = default;
  /// Prometheus' text exposition format, version 0.0.4.
  virtual std::string text() = 0;
};

enum class HealthState : std::uint8_t { kOk, kFallback, kFatal };

class Health {
public:
  virtual ~Health() = default;
  virtual HealthState state() = 0;
};

} // namespace tcfdl::api_service
