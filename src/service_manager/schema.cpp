#include "service_manager/schema.hpp"

#include <array>

namespace tcfdl::service_manager {
namespace {

constexpr std::string_view kFirst = R"(
CREATE TABLE operations (
  seq INTEGER PRIMARY KEY, kind TEXT NOT NULL, payload BLOB NOT NULL, time INTEGER NOT NULL);
CREATE TABLE clusters (
  cluster TEXT PRIMARY KEY, link BLOB NOT NULL, certificate BLOB NOT NULL, lifetime INTEGER NOT NULL,
  expires INTEGER NOT NULL);
CREATE TABLE functions (
  function TEXT PRIMARY KEY, owner_key BLOB NOT NULL, version INTEGER NOT NULL, descriptor BLOB NOT NULL);
CREATE TABLE providers (
  function TEXT NOT NULL REFERENCES functions (function), cluster TEXT NOT NULL, PRIMARY KEY (function, cluster));
CREATE INDEX providers_of_cluster ON providers (cluster);
CREATE TABLE authority_key (id INTEGER PRIMARY KEY CHECK (id = 1), sealed BLOB NOT NULL);
CREATE TABLE function_keys (
  function TEXT NOT NULL, assurance TEXT NOT NULL, epoch INTEGER NOT NULL, sealed BLOB NOT NULL,
  PRIMARY KEY (function, assurance, epoch));
CREATE TABLE tokens (
  hash BLOB PRIMARY KEY, role INTEGER NOT NULL, cluster TEXT NOT NULL, expires INTEGER NOT NULL, grants TEXT NOT NULL,
  spent INTEGER);
CREATE TABLE subjects (
  cluster TEXT NOT NULL, name TEXT NOT NULL, role INTEGER NOT NULL, verify_key BLOB NOT NULL, seal_key BLOB NOT NULL,
  platform_key BLOB NOT NULL, proxy_verify_key BLOB NOT NULL, proxy_seal_key BLOB NOT NULL, evidence BLOB NOT NULL,
  enrolled INTEGER NOT NULL, PRIMARY KEY (cluster, name));
CREATE TABLE issued (
  serial INTEGER PRIMARY KEY, cluster TEXT NOT NULL, holder TEXT NOT NULL, what TEXT NOT NULL, function TEXT NOT NULL,
  assurance TEXT NOT NULL, epoch INTEGER NOT NULL, expires INTEGER NOT NULL);
CREATE INDEX issued_by_expiry ON issued (expires);
)";

constexpr std::string_view kNats = R"(
CREATE TABLE nats_root (id INTEGER PRIMARY KEY CHECK (id = 1), sealed BLOB NOT NULL);
CREATE TABLE nats_revocations (cluster TEXT NOT NULL, user TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (cluster, user));
)";

constexpr std::string_view kRevocations = R"(
ALTER TABLE issued ADD COLUMN node TEXT NOT NULL DEFAULT '';
ALTER TABLE issued ADD COLUMN key BLOB NOT NULL DEFAULT x'';
CREATE INDEX issued_by_holder ON issued (cluster, holder);
CREATE TABLE revocations (serial INTEGER PRIMARY KEY, key BLOB NOT NULL, expires INTEGER NOT NULL);
CREATE INDEX revocations_by_key ON revocations (key);
CREATE TABLE function_epochs (function TEXT PRIMARY KEY, epoch INTEGER NOT NULL, raised INTEGER NOT NULL);
CREATE TABLE retired_epochs (
  function TEXT NOT NULL, epoch INTEGER NOT NULL, until INTEGER NOT NULL, PRIMARY KEY (function, epoch));
CREATE TABLE revocation_number (id INTEGER PRIMARY KEY CHECK (id = 1), number INTEGER NOT NULL);
)";

constexpr std::string_view kGrants = R"(
ALTER TABLE subjects ADD COLUMN grants TEXT NOT NULL DEFAULT '';
)";

constexpr std::string_view kPolicies = R"(
CREATE TABLE policies (version INTEGER PRIMARY KEY, hash BLOB NOT NULL, adopted INTEGER NOT NULL);
)";

constexpr std::string_view kRenewals = R"(
ALTER TABLE subjects ADD COLUMN previous_evidence BLOB NOT NULL DEFAULT x'';
)";

constexpr std::string_view kContentKeys = R"(
CREATE TABLE content_keys (
  function TEXT NOT NULL, version INTEGER NOT NULL, sealed BLOB NOT NULL, PRIMARY KEY (function, version));
)";

constexpr std::string_view kStaged = R"(
CREATE TABLE staged_functions (
  function TEXT NOT NULL, cluster TEXT NOT NULL, version INTEGER NOT NULL, descriptor BLOB NOT NULL,
  PRIMARY KEY (function, cluster));
)";

constexpr std::array kScripts = {kFirst, kNats, kRevocations, kGrants, kPolicies, kRenewals, kContentKeys, kStaged};

} // namespace

std::span<const std::string_view> schema_scripts() { return kScripts; }

Status prepare_schema(database::Database& database) { return database.migrate("service_manager", kScripts); }

} // namespace tcfdl::service_manager
