// `tcfdl receipt verify`: what an instance signed about a task, judged without any network.
#include "wire/receipt.hpp"

#include "base/encoding.hpp"
#include "base/file.hpp"
#include "base/rfc3339.hpp"
#include "cli/command.hpp"
#include "sdk/context.hpp"

#include <CLI/CLI.hpp>
#include <memory>

namespace tcfdl::cli {
namespace {

struct ReceiptOptions {
  std::string receipt;
  std::string in;
  std::string out;
  std::string authority;
};

/// Everything that the options name, read.
struct ReceiptFiles {
  crypto::VerifyKey authority;
  Bytes receipt;
  std::optional<Bytes> in;
  std::optional<Bytes> out;
};

/// The key that the user gives, else the one that was pinned when the context was made.
Result<crypto::VerifyKey> read_receipt_authority(const ReceiptOptions& options, const std::string& context) {
  auto text = options.authority;
  if (text.empty()) {
    const auto loaded = sdk::load_context(context);
    if (!loaded) return loaded.error().within("no --authority");
    text = loaded->authority_key;
  }
  const auto bytes = from_base64url(text);
  if (!bytes) return bytes.error().within("the authority's key");
  auto key = crypto::VerifyKey::from_bytes(*bytes);
  if (!key) return key.error().within("the authority's key");
  return key;
}

Result<std::optional<Bytes>> read_receipt_body(const std::string& file) {
  if (file.empty()) return std::optional<Bytes>();
  TCFDL_ASSIGN(auto content, read_file(file));
  return std::optional(std::move(content));
}

Result<ReceiptFiles> read_receipt_files(const ReceiptOptions& options, const std::string& context) {
  TCFDL_ASSIGN(auto authority, read_receipt_authority(options, context));
  TCFDL_ASSIGN(auto receipt, read_file(options.receipt, std::size_t{1} << 20U));
  TCFDL_ASSIGN(auto in, read_receipt_body(options.in));
  TCFDL_ASSIGN(auto out, read_receipt_body(options.out));
  return ReceiptFiles{std::move(authority), std::move(receipt), std::move(in), std::move(out)};
}

Json receipt_claims(const wire::ReceiptStatement& statement) {
  const auto& route = statement.claimed_route();
  return {{"task_id", statement.task_id()},
          {"function", statement.function()},
          {"version", statement.version()},
          {"owner", to_hex(as_bytes(statement.owner()))},
          {"measurement", to_hex(as_bytes(statement.measurement()))},
          {"measurement_covers", "the bundle: program, configuration and models"},
          {"input_hash", to_hex(as_bytes(statement.input_hash()))},
          {"output_hash", to_hex(as_bytes(statement.output_hash()))},
          {"tee_kind", statement.tee_kind()},
          {"assurance", statement.assurance()},
          {"policy_version", statement.policy_version()},
          {"cluster", statement.cluster()},
          {"node", statement.node()},
          {"instance", statement.instance()},
          {"protection", statement.protection()},
          {"started", to_rfc3339(statement.started_ms() / 1000)},
          {"finished", to_rfc3339(statement.finished_ms() / 1000)},
          {"started_ms", statement.started_ms()},
          {"finished_ms", statement.finished_ms()},
          {"caller", statement.caller()},
          {"caller_key", to_base64url(as_bytes(statement.caller_key()))},
          {"claimed_route",
           {{"proven", false},
            {"way", route.way()},
            {"granted_by", route.granted_by()},
            {"proxies", std::vector<std::string>(route.proxies().begin(), route.proxies().end())}}}};
}

Json receipt_document(const wire::ReceiptVerdict& verdict) {
  Json reasons = Json::array();
  for (const auto& reason : verdict.reasons())
    reasons.push_back({{"check", wire::receipt_check_name(reason.check)}, {"reason", reason.text}});
  Json passed = Json::array();
  for (const auto check : verdict.passed()) passed.push_back(wire::receipt_check_name(check));
  return {{"accepted", verdict.accepted()},
          {"reasons", std::move(reasons)},
          {"passed", std::move(passed)},
          {"receipt", receipt_claims(verdict.unverified_statement())}};
}

void print_receipt_verdict(const wire::ReceiptVerdict& verdict) {
  const auto document = receipt_document(verdict);
  print(verdict.accepted() ? fmt::format("accepted: {}\n", shown(document, "passed")) : "refused\n");
  for (const auto& reason : verdict.reasons())
    print(fmt::format("  {}: {}\n", wire::receipt_check_name(reason.check), reason.text));
  print(verdict.accepted() ? "the receipt says:\n" : "the receipt says (not to be relied on):\n");
  for (const auto& [key, value] : document["receipt"].items()) {
    if (!value.is_object()) print(fmt::format("  {}: {}\n", key, shown(document["receipt"], key.c_str())));
  }
  const auto& route = document["receipt"]["claimed_route"];
  print(fmt::format("  route, as claimed and not proven: {}, granted by {}, proxies {}\n", shown(route, "way"),
                    shown(route, "granted_by"), shown(route, "proxies")));
}

int verify_receipt_files(const Session& session, const ReceiptOptions& options) {
  const auto files = read_receipt_files(options, session.context);
  if (!files) return refuse_usage(session, files.error());
  const auto& [authority, receipt, in, out] = *files;
  wire::ReceiptQuestion question{
      .authority = authority, .now = SystemClock().now(), .input = std::nullopt, .output = std::nullopt};
  if (in) question.input = *in;
  if (out) question.output = *out;
  const auto verdict = wire::verify_receipt(receipt, question);
  if (session.json) {
    print_json(receipt_document(verdict));
  } else {
    print_receipt_verdict(verdict);
  }
  return verdict.accepted() ? kAccepted : kRefused;
}

} // namespace

void add_receipt_commands(CLI::App& app, Session& session) {
  auto* group =
      app.add_subcommand("receipt", "what instances signed about tasks: `invoke --receipt`")->require_subcommand(1);
  auto* command = group->add_subcommand("verify", "check a receipt offline; exits 0 if accepted, 1 if refused");
  auto options = std::make_shared<ReceiptOptions>();
  command->add_option("receipt", options->receipt, "the receipt")->required()->type_name("FILE");
  command->add_option("--in", options->in, "the body that was sent")->type_name("FILE");
  command->add_option("--out", options->out, "the result that came back")->type_name("FILE");
  command->add_option("--authority", options->authority, "the authority's key; default: the context's")
      ->type_name("BASE64URL");
  command->callback(session.judge([&session, options] { return verify_receipt_files(session, *options); }));
}

} // namespace tcfdl::cli
