#include "service_manager/authority/operations.hpp"

#include "service_manager/operations.pb.h"

namespace tcfdl::service_manager::authority {
namespace {

using database::Database;
using database::Row;

/// How long a token is remembered after it expired, so that its refusal can say so, seconds.
constexpr std::int64_t kTokenMemory = 7L * 24 * 3600;

std::string join(const google::protobuf::RepeatedPtrField<std::string>& words) {
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
  TCFDL_TRY(usable_token(database, as_bytes(enrolled.token_hash()), operation.time));
  TCFDL_TRY(
      check_name(database, enrolled.cluster(), enrolled.name(), enrolled.role(), as_bytes(enrolled.verify_key())));
  TCFDL_TRY(database.execute("UPDATE tokens SET spent = ? WHERE hash = ?",
                             {operation.time, to_bytes(enrolled.token_hash())}));
  TCFDL_TRY(database.execute(
      "INSERT OR REPLACE INTO subjects (cluster, name, role, verify_key, seal_key, platform_key, "
      "proxy_verify_key, proxy_seal_key, evidence, enrolled) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      {enrolled.cluster(), enrolled.name(), std::int64_t{enrolled.role()}, to_bytes(enrolled.verify_key()),
       to_bytes(enrolled.seal_key()), to_bytes(enrolled.platform_key()), to_bytes(enrolled.proxy_verify_key()),
       to_bytes(enrolled.proxy_seal_key()), wire::serialize(enrolled.evidence()), operation.time}));
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
    TCFDL_TRY(
        database.execute("INSERT INTO issued (serial, cluster, holder, what, function, assurance, epoch, expires) "
                         "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                         {serial, item.cluster(), item.holder(), item.what(), item.function(), item.assurance(),
                          std::int64_t{item.epoch()}, item.expires()}));
  }
  return {};
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
  return database.query_one("SELECT role, verify_key, proxy_verify_key FROM subjects WHERE cluster = ? AND name = ?",
                            {cluster, name}, [](const Row& row) {
                              return Subject{.role = static_cast<wire::Role>(row.integer(0)),
                                             .verify_key = row.blob(1),
                                             .proxy_verify_key = row.blob(2)};
                            });
}

Result<std::optional<NodeEvidence>> find_evidence(database::Database& database, const std::string& cluster,
                                                  const std::string& node) {
  return database.query_one(
      "SELECT role, platform_key, evidence, enrolled FROM subjects WHERE cluster = ? AND name = ?", {cluster, node},
      [](const Row& row) {
        return NodeEvidence{.role = static_cast<wire::Role>(row.integer(0)),
                            .platform_key = row.blob(1),
                            .evidence = row.blob(2),
                            .enrolled = row.integer(3)};
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

Status check_name(database::Database& database, const std::string& cluster, const std::string& name, wire::Role role,
                  BytesView verify_key) {
  TCFDL_ASSIGN(const auto known, find_subject(database, cluster, name));
  if (!known || (known->role == role && std::ranges::equal(known->verify_key, verify_key))) return {};
  return make_error(Code::kAlreadyExists,
                    "the name {} is taken in cluster {} by another key or role; choose another, or have it removed",
                    name, cluster);
}

} // namespace tcfdl::service_manager::authority
