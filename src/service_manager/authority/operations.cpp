#include "service_manager/authority/operations.hpp"

#include "service_manager/operations.pb.h"
#include "wire/capsule.hpp"

namespace tcfdl::service_manager::authority {
namespace {

using database::Database;
using database::Row;

/// How long a token is remembered after it expired, so that its refusal can say so, seconds.
constexpr std::int64_t kTokenMemory = 7L * 24 * 3600;
/// Epochs of one function that are valid beside the one in force.
constexpr std::int64_t kMostRetired = 8;
/// So that a list fits into one message.
constexpr std::int64_t kMostRevocations = 15'000;

template <class Words> std::string join(const Words& words) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> words;
  for (std::size_t start = 0; start < text.size();) {
    const auto end = std::min(text.find(' ', start), text.size());
    words.push_back(text.substr(start, end - start));
    start = end + 1;
  }
  return words;
}

Status apply_authority_key(Database& database, const AuthorityKeyMade& made, const Operation& /*operation*/) {
  TCFDL_TRY(database.execute("INSERT INTO authority_key (id, sealed) VALUES (1, ?)", {to_bytes(made.sealed())}));
  return {};
}

Status apply_function_key(Database& database, const FunctionKeyMade& made, const Operation& /*operation*/) {
  TCFDL_ASSIGN(const auto raised, raised_epoch(database, made.function()));
  if (raised && made.epoch() < *raised) {
    return make_error(Code::kFailedPrecondition, "epoch {} of the keys of {} is over: epoch {} is in force",
                      made.epoch(), made.function(), *raised);
  }
  TCFDL_TRY(database.execute("INSERT INTO function_keys (function, assurance, epoch, sealed) VALUES (?, ?, ?, ?)",
                             {made.function(), made.assurance(), std::int64_t{made.epoch()}, to_bytes(made.sealed())}));
  return {};
}

Status apply_token(Database& database, const TokenCreated& token, const Operation& operation) {
  TCFDL_TRY(database.execute("DELETE FROM tokens WHERE expires < ?", {operation.time - kTokenMemory}));
  TCFDL_TRY(database.execute(
      "INSERT INTO tokens (hash, role, cluster, expires, grants) VALUES (?, ?, ?, ?, ?)",
      {to_bytes(token.hash()), std::int64_t{token.role()}, token.cluster(), token.expires(), join(token.grants())}));
  return {};
}

Status apply_enrolled(Database& database, const Enrolled& enrolled, const Operation& operation) {
  TCFDL_ASSIGN(const auto token, usable_token(database, as_bytes(enrolled.token_hash()), operation.time));
  TCFDL_TRY(
      check_name(database, enrolled.cluster(), enrolled.name(), enrolled.role(), as_bytes(enrolled.verify_key())));
  TCFDL_TRY(database.execute("UPDATE tokens SET spent = ? WHERE hash = ?",
                             {operation.time, to_bytes(enrolled.token_hash())}));
  TCFDL_TRY(database.execute(
      "INSERT OR REPLACE INTO subjects (cluster, name, role, verify_key, seal_key, platform_key, "
      "proxy_verify_key, proxy_seal_key, evidence, enrolled, grants) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      {enrolled.cluster(), enrolled.name(), std::int64_t{enrolled.role()}, to_bytes(enrolled.verify_key()),
       to_bytes(enrolled.seal_key()), to_bytes(enrolled.platform_key()), to_bytes(enrolled.proxy_verify_key()),
       to_bytes(enrolled.proxy_seal_key()), wire::serialize(enrolled.evidence()), operation.time, join(token.grants)}));
  return {};
}

Status apply_removed(Database& database, const SubjectRemoved& removed, const Operation& /*operation*/) {
  TCFDL_ASSIGN(const auto changed, database.execute("DELETE FROM subjects WHERE cluster = ? AND name = ?",
                                                    {removed.cluster(), removed.name()}));
  if (changed > 0) return {};
  return make_error(Code::kNotFound, "nobody is enrolled as {} in cluster {}", removed.name(), removed.cluster());
}

Status apply_nats_root(Database& database, const NatsRootMade& made, const Operation& /*operation*/) {
  TCFDL_TRY(database.execute("INSERT INTO nats_root (id, sealed) VALUES (1, ?)", {to_bytes(made.sealed())}));
  return {};
}

Status apply_nats_revoked(Database& database, const NatsUserRevoked& revoked, const Operation& operation) {
  TCFDL_TRY(database.execute("INSERT OR REPLACE INTO nats_revocations (cluster, user, at) VALUES (?, ?, ?)",
                             {revoked.cluster(), revoked.user(), operation.time}));
  return {};
}

Status apply_policy(Database& database, const PolicyAdopted& adopted, const Operation& operation) {
  TCFDL_TRY(database.execute("INSERT INTO policies (version, hash, adopted) VALUES (?, ?, ?)",
                             {static_cast<std::int64_t>(adopted.version()), to_bytes(adopted.hash()), operation.time}));
  return {};
}

Status apply_issued(Database& database, const Issued& issued, const Operation& operation) {
  TCFDL_TRY(database.execute("DELETE FROM issued WHERE expires < ?", {operation.time}));
  for (int i = 0; i < issued.items_size(); ++i) {
    const auto& item = issued.items(i);
    const auto serial = static_cast<std::int64_t>(serial_of(operation, static_cast<std::uint64_t>(i)));
    TCFDL_TRY(database.execute("INSERT INTO issued (serial, cluster, holder, what, function, assurance, epoch, "
                               "expires, node, key) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                               {serial, item.cluster(), item.holder(), item.what(), item.function(), item.assurance(),
                                std::int64_t{item.epoch()}, item.expires(), item.node(), to_bytes(item.key())}));
  }
  return {};
}

/// After rows were added to the list. RESOURCE_EXHAUSTED when they are too many.
Status next_list(Database& database, const Operation& operation) {
  TCFDL_ASSIGN(const auto count, database.query_one("SELECT count(*) FROM revocations", {},
                                                    [](const Row& row) { return row.integer(0); }));
  if (count.value_or(0) > kMostRevocations) {
    return make_error(Code::kResourceExhausted, "{} certificates are revoked, as many as the list may hold",
                      kMostRevocations);
  }
  TCFDL_TRY(database.execute("INSERT OR REPLACE INTO revocation_number (id, number) VALUES (1, ?)",
                             {static_cast<std::int64_t>(operation.seq)}));
  return {};
}

Status apply_epoch_raised(Database& database, const FunctionEpochRaised& raised, const Operation& operation) {
  TCFDL_ASSIGN(const auto present, raised_epoch(database, raised.function()));
  if (present && *present >= raised.epoch()) {
    return make_error(Code::kFailedPrecondition, "epoch {} of the keys of {} is in force already", *present,
                      raised.function());
  }
  TCFDL_ASSIGN(const auto retired,
               database.query_one("SELECT count(*) FROM retired_epochs WHERE function = ?", {raised.function()},
                                  [](const Row& row) { return row.integer(0); }));
  if (retired.value_or(0) >= kMostRetired) {
    return make_error(Code::kResourceExhausted, "{} epochs of {} are valid still; wait until one of them ends",
                      kMostRetired + 1, raised.function());
  }
  TCFDL_TRY(database.execute("INSERT OR REPLACE INTO retired_epochs (function, epoch, until) VALUES (?, ?, ?)",
                             {raised.function(), std::int64_t{raised.retired()}, raised.until()}));
  TCFDL_TRY(database.execute("INSERT OR REPLACE INTO function_epochs (function, epoch, raised) VALUES (?, ?, ?)",
                             {raised.function(), std::int64_t{raised.epoch()}, operation.time}));
  return next_list(database, operation);
}

/// Takes the sealed keys of what is in no table any more out of the log.
Status redact_keys(Database& database, const std::string& function) {
  std::vector<std::pair<std::int64_t, FunctionKeyMade>> erased;
  TCFDL_TRY(database.query("SELECT seq, payload FROM operations WHERE kind = ?", {wire::label_of<FunctionKeyMade>()},
                           [&](const Row& row) -> Status {
                             TCFDL_ASSIGN(auto made, wire::parse<FunctionKeyMade>(row.blob(1)));
                             if (made.function() == function) erased.emplace_back(row.integer(0), std::move(made));
                             return {};
                           }));
  for (auto& [seq, made] : erased) {
    TCFDL_ASSIGN(const auto held,
                 database.query_one("SELECT 1 FROM function_keys WHERE function = ? AND assurance = ? AND epoch = ?",
                                    {function, made.assurance(), std::int64_t{made.epoch()}},
                                    [](const Row&) { return true; }));
    if (held) continue;
    made.clear_sealed();
    TCFDL_TRY(database.execute("UPDATE operations SET payload = ? WHERE seq = ?", {wire::serialize(made), seq}));
  }
  return {};
}

Status apply_erased(Database& database, const FunctionKeysErased& erased, const Operation& /*operation*/) {
  const std::int64_t epoch = erased.epoch();
  TCFDL_TRY(
      database.execute("DELETE FROM retired_epochs WHERE function = ? AND epoch = ?", {erased.function(), epoch}));
  // With those before it, whose overlap has ended too: epochs of a function may end in another order than they began.
  TCFDL_TRY(database.execute("DELETE FROM function_keys WHERE function = ?1 AND epoch <= ?2 AND epoch NOT IN "
                             "(SELECT epoch FROM retired_epochs WHERE function = ?1)",
                             {erased.function(), epoch}));
  return redact_keys(database, erased.function());
}

/// Takes the sealed content keys of a function that are in no table any more out of the log.
Status redact_content_keys(Database& database, const std::string& function) {
  std::vector<std::pair<std::int64_t, ContentKeyMade>> erased;
  TCFDL_TRY(database.query("SELECT seq, payload FROM operations WHERE kind = ?", {wire::label_of<ContentKeyMade>()},
                           [&](const Row& row) -> Status {
                             TCFDL_ASSIGN(auto made, wire::parse<ContentKeyMade>(row.blob(1)));
                             if (made.function() == function) erased.emplace_back(row.integer(0), std::move(made));
                             return {};
                           }));
  for (auto& [seq, made] : erased) {
    TCFDL_ASSIGN(const auto held,
                 database.query_one("SELECT 1 FROM content_keys WHERE function = ? AND sealed = ?",
                                    {function, to_bytes(made.sealed())}, [](const Row&) { return true; }));
    if (held) continue;
    made.clear_sealed();
    TCFDL_TRY(database.execute("UPDATE operations SET payload = ? WHERE seq = ?", {wire::serialize(made), seq}));
  }
  return {};
}

Status apply_content_key(Database& database, const ContentKeyMade& made, const Operation& /*operation*/) {
  const auto version = static_cast<std::int64_t>(made.version());
  TCFDL_TRY(database.execute("INSERT INTO content_keys (function, version, sealed) VALUES (?, ?, ?)",
                             {made.function(), version, to_bytes(made.sealed())}));
  return {};
}

Status apply_content_key_erased(Database& database, const ContentKeyErased& erased, const Operation& /*operation*/) {
  TCFDL_TRY(database.execute("DELETE FROM content_keys WHERE function = ? AND version = ?",
                             {erased.function(), static_cast<std::int64_t>(erased.version())}));
  return redact_content_keys(database, erased.function());
}

Status apply_revoked(Database& database, const CertificatesRevoked& revoked, const Operation& operation) {
  TCFDL_TRY(database.execute("DELETE FROM revocations WHERE expires < ?", {operation.time}));
  // Messages of topics that the keys sealed or countersigned outlive the certificates.
  const auto all =
      fmt::format("INSERT OR REPLACE INTO revocations (serial, key, expires) SELECT serial, key, expires + "
                  "{} FROM issued WHERE cluster = ?1 AND expires > ?3 AND what LIKE 'ROLE_%' AND ",
                  wire::kLongestRetention + wire::kCapsuleLifetime);
  Result<std::int64_t> changed = std::int64_t{0};
  if (revoked.has_node()) {
    changed = database.execute(all + "what != 'ROLE_CLIENT' AND (node = ?2 OR holder IN (?2, ?2 || '/proxy'))",
                               {revoked.cluster(), revoked.node(), operation.time});
  } else if (revoked.has_instance()) {
    changed = database.execute(all + "what = 'ROLE_INSTANCE' AND holder = ?2",
                               {revoked.cluster(), revoked.instance(), operation.time});
  } else {
    changed = database.execute(all + "what = 'ROLE_CLIENT' AND holder = ?2",
                               {revoked.cluster(), revoked.client(), operation.time});
  }
  if (!changed) return changed.error();
  if (*changed == 0) return Error(Code::kNotFound, "nobody of that name has a certificate of this cluster");
  return next_list(database, operation);
}

/// The evidence of before is kept: of the certificate that was renewed, which the node has until it hears of the next
/// one, however often that takes.
Status apply_renewed(Database& database, const NodeRenewed& renewed, const Operation& /*operation*/) {
  TCFDL_ASSIGN(const auto node, find_evidence(database, renewed.cluster(), renewed.node()));
  if (!node) {
    return make_error(Code::kNotFound, "no node is enrolled as {} in cluster {}", renewed.node(), renewed.cluster());
  }
  const bool again = std::ranges::equal(crypto::sha256(node->previous), as_bytes(renewed.replaced()));
  TCFDL_TRY(database.execute("UPDATE subjects SET previous_evidence = ?, evidence = ? WHERE cluster = ? AND name = ?",
                             {again ? node->previous : node->evidence, wire::serialize(renewed.evidence()),
                              renewed.cluster(), renewed.node()}));
  return {};
}

Status apply_grants(Database& database, const GrantsChanged& changed, const Operation& operation) {
  TCFDL_ASSIGN(
      const auto updated,
      database.execute("UPDATE subjects SET grants = ? WHERE cluster = ? AND name = ? AND role = ?",
                       {join(changed.grants()), changed.cluster(), changed.client(), std::int64_t{wire::ROLE_CLIENT}}));
  if (updated == 0) {
    return make_error(Code::kNotFound, "no client is enrolled as {} in cluster {}", changed.client(),
                      changed.cluster());
  }
  TCFDL_TRY(database.execute("DELETE FROM revocations WHERE expires < ?", {operation.time}));
  TCFDL_ASSIGN(
      const auto superseded,
      database.execute("INSERT OR IGNORE INTO revocations (serial, key, expires) SELECT serial, x'', expires "
                       "FROM issued WHERE cluster = ?1 AND holder = ?2 AND what = 'ROLE_CLIENT' AND expires > ?3",
                       {changed.cluster(), changed.client(), operation.time}));
  return superseded > 0 ? next_list(database, operation) : Status();
}

} // namespace

void teach(OperationLog& log) {
  log.on<AuthorityKeyMade>(apply_authority_key);
  log.on<FunctionKeyMade>(apply_function_key);
  log.on<TokenCreated>(apply_token);
  log.on<Enrolled>(apply_enrolled);
  log.on<SubjectRemoved>(apply_removed);
  log.on<NatsRootMade>(apply_nats_root);
  log.on<NatsUserRevoked>(apply_nats_revoked);
  log.on<PolicyAdopted>(apply_policy);
  log.on<Issued>(apply_issued);
  log.on<FunctionEpochRaised>(apply_epoch_raised);
  log.on<FunctionKeysErased>(apply_erased);
  log.on<CertificatesRevoked>(apply_revoked);
  log.on<GrantsChanged>(apply_grants);
  log.on<NodeRenewed>(apply_renewed);
  log.on<ContentKeyMade>(apply_content_key);
  log.on<ContentKeyErased>(apply_content_key_erased);
}

Result<Token> usable_token(database::Database& database, BytesView hash, UnixSeconds now) {
  bool spent = false;
  TCFDL_ASSIGN(auto token, database.query_one("SELECT role, cluster, expires, grants, spent FROM tokens WHERE hash = ?",
                                              {Bytes(hash.begin(), hash.end())}, [&](const Row& row) {
                                                spent = !row.is_null(4);
                                                return Token{.role = static_cast<wire::Role>(row.integer(0)),
                                                             .cluster = row.text(1),
                                                             .expires = row.integer(2),
                                                             .grants = split(row.text(3))};
                                              }));
  if (!token) return Error(Code::kUnauthenticated, "the enrolment token is unknown here; create one and use it whole");
  if (spent)
    return Error(Code::kUnauthenticated, "the enrolment token was spent; each admits one subject, create another");
  if (token->expires <= now) return Error(Code::kUnauthenticated, "the enrolment token has expired; create another");
  return *std::move(token);
}

Result<std::optional<Subject>> find_subject(database::Database& database, const std::string& cluster,
                                            const std::string& name) {
  return database.query_one("SELECT role, verify_key, platform_key, proxy_verify_key, proxy_seal_key FROM subjects "
                            "WHERE cluster = ? AND name = ?",
                            {cluster, name}, [](const Row& row) {
                              return Subject{.role = static_cast<wire::Role>(row.integer(0)),
                                             .verify_key = row.blob(1),
                                             .platform_key = row.blob(2),
                                             .proxy_verify_key = row.blob(3),
                                             .proxy_seal_key = row.blob(4)};
                            });
}

Result<std::optional<NodeEvidence>> find_evidence(database::Database& database, const std::string& cluster,
                                                  const std::string& node) {
  return database.query_one(
      "SELECT role, platform_key, evidence, previous_evidence, enrolled FROM subjects WHERE cluster = ? AND name = ?",
      {cluster, node}, [](const Row& row) {
        return NodeEvidence{.role = static_cast<wire::Role>(row.integer(0)),
                            .platform_key = row.blob(1),
                            .evidence = row.blob(2),
                            .previous = row.blob(3),
                            .enrolled = row.integer(4)};
      });
}

Status adopt_policy(database::Database& database, OperationLog& log, std::uint64_t version, BytesView hash) {
  if (version == 0) return {};
  struct Kept {
    std::int64_t version = 0;
    Bytes hash;
  };
  TCFDL_ASSIGN(const auto kept,
               database.query_one("SELECT version, hash FROM policies ORDER BY version DESC LIMIT 1", {},
                                  [](const Row& row) { return Kept{.version = row.integer(0), .hash = row.blob(1)}; }));
  const auto wanted = static_cast<std::int64_t>(version);
  if (kept && kept->version > wanted) {
    return make_error(Code::kFailedPrecondition,
                      "the policy is of version {}, but version {} was in force here; raise it above that", version,
                      kept->version);
  }
  if (kept && kept->version == wanted) {
    if (std::ranges::equal(kept->hash, hash)) return {};
    return make_error(Code::kFailedPrecondition, "the policy changed, but its version is still {}; raise it", version);
  }
  PolicyAdopted adopted;
  adopted.set_version(version);
  adopted.set_hash(wire::field(hash));
  TCFDL_TRY(log.append(adopted));
  return {};
}

Result<std::vector<ClientRow>> clients_of(database::Database& database, const std::string& cluster,
                                          const std::string& only) {
  std::vector<ClientRow> clients;
  TCFDL_TRY(database.query("SELECT name, verify_key, seal_key, grants, enrolled FROM subjects WHERE cluster = ?1 AND "
                           "role = ?2 AND (?3 = '' OR name = ?3) ORDER BY name",
                           {cluster, std::int64_t{wire::ROLE_CLIENT}, only}, [&](const Row& row) -> Status {
                             clients.push_back({.name = row.text(0),
                                                .verify_key = row.blob(1),
                                                .seal_key = row.blob(2),
                                                .grants = split(row.text(3)),
                                                .enrolled = row.integer(4)});
                             return {};
                           }));
  return clients;
}

Result<std::optional<std::uint32_t>> raised_epoch(database::Database& database, const std::string& function) {
  return database.query_one("SELECT epoch FROM function_epochs WHERE function = ?", {function},
                            [](const Row& row) { return static_cast<std::uint32_t>(row.integer(0)); });
}

Status check_not_revoked(database::Database& database, std::uint64_t serial, BytesView verify_key,
                         std::string_view holder) {
  const auto hash = crypto::sha256(verify_key);
  TCFDL_ASSIGN(const auto found,
               database.query_one("SELECT 1 FROM revocations WHERE serial = ? OR key = ?",
                                  {static_cast<std::int64_t>(serial), Bytes(hash.begin(), hash.end())},
                                  [](const Row&) { return true; }));
  if (!found) return {};
  return make_error(Code::kUnauthenticated, "{} was revoked; enrol it again with new keys", holder);
}

Status check_name(database::Database& database, const std::string& cluster, const std::string& name, wire::Role role,
                  BytesView verify_key) {
  TCFDL_ASSIGN(const auto known, find_subject(database, cluster, name));
  if (!known || (known->role == role && std::ranges::equal(known->verify_key, verify_key))) return {};
  return make_error(Code::kAlreadyExists,
                    "the name {} is taken in cluster {} by another key or role; choose another, or have it removed",
                    name, cluster);
}

} // namespace tcfdl::service_manager::authority
