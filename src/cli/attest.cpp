// `tcfdl attest`: evidence and attestation results, judged without any network; and how to come by results and keys.
#include "attestation/result_token.hpp"
#include "base/encoding.hpp"
#include "base/file.hpp"
#include "base/rfc3339.hpp"
#include "cli/api.hpp"
#include "cli/evidence.hpp"
#include "http/url.hpp"
#include "wire/receipt.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <optional>

namespace tcfdl::cli {
namespace {

constexpr std::size_t kLargestToken = std::size_t{64} << 10U;

/// Writes to the file or, without one, to standard output.
Status deliver(const std::string& text, const std::string& file) {
  if (!file.empty()) return write_file(std::filesystem::absolute(file), as_bytes(text));
  print(text);
  return {};
}

/// The keys that the context's enrolment pinned: nobody is asked.
Status write_jwks(const Session& session, const std::string& file) {
  TCFDL_ASSIGN(const auto context, sdk::load_context(session.context));
  TCFDL_ASSIGN(const auto bytes, from_base64url(context.authority_key));
  TCFDL_ASSIGN(const auto key, crypto::VerifyKey::from_bytes(bytes));
  return deliver(attestation::Jwks({key}).text(), file);
}

struct ResultOptions {
  std::string subject;
  std::string nonce;
  std::string out;
  std::string jwks;
  std::string token;
  std::string receipt;
  std::string time;
};

Status get_result(const Session& session, const ResultOptions& options) {
  TCFDL_ASSIGN(auto api, Api::of_context(session.context));
  auto target = "/v1/attestation/" + http::percent_encode(options.subject);
  if (!options.nonce.empty()) target += "?nonce=" + http::percent_encode(options.nonce);
  TCFDL_ASSIGN(const auto answer, api.get(target));
  if (session.json && options.out.empty()) {
    print_json(answer);
    return {};
  }
  return deliver(shown(answer, "token") + "\n", options.out);
}

Json to_json(const attestation::AttestationResult& result) {
  return {{"issuer", result.issuer},
          {"subject", result.subject},
          {"issued", to_rfc3339(result.issued)},
          {"expires", to_rfc3339(result.expires)},
          {"nonce", to_hex(result.nonce)},
          {"key", to_hex(result.key)},
          {"role", result.role},
          {"cluster", result.cluster},
          {"node", result.node},
          {"function", result.function},
          {"measurement", to_hex(result.measurement)},
          {"assurance", result.assurance},
          {"policy_version", result.policy_version},
          {"certificate", to_hex(result.certificate_hash)},
          {"evidence", to_hex(result.evidence_hash)},
          {"tee", result.tee_kind},
          {"tee_measurement", to_hex(result.tee_measurement)},
          {"signer", to_hex(result.signer)},
          {"svn", result.svn},
          {"tcb_status", result.tcb_status},
          {"advisories", result.advisories},
          {"debug", result.debug}};
}

/// The token itself, or the content of the file that has it.
Result<std::string> read_result_token(const std::string& given) {
  auto text = given;
  if (std::ranges::count(given, '.') != 2 || given.find('/') != std::string::npos) {
    TCFDL_ASSIGN(text, read_text_file(given, kLargestToken));
  }
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  return text;
}

struct ResultFiles {
  attestation::Jwks keys = attestation::Jwks(std::vector<crypto::VerifyKey>());
  std::string token;
  std::optional<Bytes> receipt;
  Bytes nonce;
  UnixSeconds time = 0;
};

Result<ResultFiles> read_result_files(const ResultOptions& options) {
  ResultFiles files;
  TCFDL_ASSIGN(const auto text, read_file(options.jwks, kLargestToken));
  auto keys = attestation::Jwks::parse(text);
  if (!keys) return keys.error().within(options.jwks);
  files.keys = *std::move(keys);
  TCFDL_ASSIGN(files.token, read_result_token(options.token));
  if (!options.receipt.empty()) {
    TCFDL_ASSIGN(files.receipt, read_file(options.receipt, wire::kMaxReceipt));
  }
  TCFDL_ASSIGN(files.nonce, from_hex(options.nonce));
  TCFDL_ASSIGN(files.time, time_or_now(options.time));
  return files;
}

void print_result(const attestation::AttestationResult& result) {
  const auto document = to_json(result);
  for (const auto& [key, value] : document.items()) print(fmt::format("  {}: {}\n", key, shown(document, key.c_str())));
}

/// Whether the receipt is good and of the instance that the result is of.
void require_receipt(const ResultFiles& files, BytesView receipt_bytes, const attestation::AttestationResult& result,
                     attestation::Findings& findings) {
  const auto* const key = files.keys.find(result.issuer);
  const auto receipt = wire::parse<wire::Receipt>(receipt_bytes);
  if (key == nullptr || !receipt) return findings.refuse("receipt", "bytes that are none", "a receipt");
  const auto verdict = wire::verify_receipt(
      receipt_bytes, {.authority = *key, .now = files.time, .input = std::nullopt, .output = std::nullopt});
  for (const auto& reason : verdict.reasons()) {
    findings.refuse(fmt::format("receipt.{}", wire::receipt_check_name(reason.check)), reason.text, "a good receipt");
  }
  findings.require(verdict.accepted() || !verdict.reasons().empty(), "receipt", "refused", "a good receipt");
  attestation::require_certificate(result, receipt->certificate(), findings);
}

int check_result(const Session& session, const ResultOptions& options) {
  const auto files = read_result_files(options);
  if (!files) return refuse_usage(session, files.error());
  attestation::Findings findings;
  auto result = attestation::verify_result(files->keys, files->token, files->time, findings);
  if (result && !files->nonce.empty() && result->nonce != files->nonce) {
    findings.refuse("eat_nonce", to_hex(result->nonce), to_hex(files->nonce));
  }
  if (const auto& receipt = files->receipt; result && receipt) require_receipt(*files, *receipt, *result, findings);
  if (!findings.reasons().empty()) result.reset();
  if (session.json) {
    print_json({{"accepted", result.has_value()},
                {"time", to_rfc3339(files->time)},
                {"reasons", reasons_json(findings)},
                {"result", result ? to_json(*result) : Json()}});
  } else {
    print(fmt::format("{} at {}\n", result ? "accepted as " + result->assurance : "refused", to_rfc3339(files->time)));
    print_reasons(findings);
    if (result) print_result(*result);
  }
  return result ? kAccepted : kRefused;
}

void add_verify(CLI::App& group, Session& session) {
  auto* command = group.add_subcommand("verify", "check evidence from files; exits 0 if accepted, 1 if refused");
  auto options = std::make_shared<EvidenceOptions>();
  add_evidence_options(*command, *options);
  command->add_flag("--allow-missing-crl", options->allow_missing_crl, "accept that revocation goes unchecked");
  command->callback(session.judge([&session, options] { return judge_evidence(session, *options); }));
}

void add_jwks(CLI::App& group, Session& session) {
  auto* command = group.add_subcommand("jwks", "the authority's public keys as a JWK set, as this context pinned them");
  auto file = std::make_shared<std::string>();
  command->add_option("--out", *file, "default: standard output")->type_name("FILE");
  command->callback(session.run([&session, file] { return write_jwks(session, *file); }));
}

void add_result(CLI::App& group, Session& session) {
  auto* results = group.add_subcommand("result", "attestation results, signed by the authority")->require_subcommand(1);
  auto options = std::make_shared<ResultOptions>();
  auto* get = results->add_subcommand("get", "have a node's proxy, an instance or a gateway judged now");
  get->add_option("subject", options->subject, "name of the node or instance")->required();
  get->add_option("--nonce", options->nonce, "8 to 64 bytes, which the result has then")->type_name("HEX");
  get->add_option("--out", options->out, "default: standard output")->type_name("FILE");
  get->callback(session.run([&session, options] { return get_result(session, *options); }));
  auto* check = results->add_subcommand("verify", "check a result offline; exits 0 if accepted, 1 if refused");
  check->add_option("token", options->token, "the token, or the file that has it")->required();
  check->add_option("--jwks", options->jwks, "keys of the authority; see `attest jwks`")->required()->type_name("FILE");
  check->add_option("--time", options->time, "judge as of then; default now")->type_name("RFC3339");
  check->add_option("--nonce", options->nonce, "what the result must have been asked for with")->type_name("HEX");
  check->add_option("--receipt", options->receipt, "the result must be of the instance that signed it")
      ->type_name("FILE");
  check->callback(session.judge([&session, options] { return check_result(session, *options); }));
}

} // namespace

void add_attest_commands(CLI::App& app, Session& session) {
  auto* group = app.add_subcommand("attest", "evidence of trusted execution environments")->require_subcommand(1);
  add_verify(*group, session);
  add_jwks(*group, session);
  add_result(*group, session);
}

} // namespace tcfdl::cli
