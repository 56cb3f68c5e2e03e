#include "base/file.hpp"
#include "base/trace_context.hpp"
#include "cli/bodies.hpp"
#include "cli/command.hpp"
#include "crypto/secret.hpp"

#include <CLI/CLI.hpp>
#include <fmt/ranges.h>
#include <memory>
#include <tcfdl/client.hpp>

namespace tcfdl::cli {
namespace {

struct InvokeOptions {
  std::string function;
  std::string in = "-";
  std::string out = "-";
  std::string protection = "eae";
  std::string assurance;
  std::string cluster;
  std::string route;
  std::string summary;
  std::string task_id;
  std::string receipt;
  std::string priority = "normal";
  std::string traceparent;
  std::string tracestate;
  bool fail_when_full = false;
  std::chrono::milliseconds timeout{30'000};
};

Json document_of(const CallReport& report, std::size_t bytes) {
  return {{"task_id", report.task_id},
          {"function", report.function},
          {"cluster", report.cluster},
          {"node", report.node},
          {"instance", report.instance},
          {"tee_kind", report.tee_kind},
          {"attempts", report.attempts},
          {"protection", protection_name(report.protection)},
          {"seal_us", report.seal_us},
          {"wait_us", report.wait_us},
          {"transfer_us", report.transfer_us},
          {"run_us", report.run_us},
          {"open_us", report.open_us},
          {"result_bytes", bytes},
          {"proxies", report.proxies},
          {"seals", report.seals},
          {"route", report.route},
          {"trace_id", report.trace_id}};
}

/// The protection in words, with the proxies that saw the data.
std::string protection_of(const CallReport& report) {
  const auto name = protection_name(report.protection);
  if (report.proxies.empty()) return std::string(name);
  return fmt::format("{} by {}, {} seals", name, fmt::join(report.proxies, ", "), report.seals);
}

std::string line_of(const CallReport& report, std::size_t bytes) {
  return fmt::format(
      "{}: {} bytes from {} on {} in {} ({} TEE, {}); wait {} us, run {} us, transfer {} us, crypto {} us\n",
      report.function, bytes, report.instance, report.node, report.cluster, report.tee_kind, protection_of(report),
      report.wait_us, report.run_us, report.transfer_us, report.seal_us + report.open_us);
}

Status tell(const InvokeOptions& options, bool as_json, const CallReport& report, std::size_t bytes) {
  const auto document = document_of(report, bytes).dump(2) + "\n";
  if (!options.summary.empty()) return write_file(std::filesystem::absolute(options.summary), as_bytes(document));
  const auto text = as_json ? document : line_of(report, bytes);
  // Standard output may carry the result.
  return write_all(STDERR_FILENO, as_bytes(text));
}

/// Who names a trace by hand is told of a mistake, which calls from programs are not.
Result<std::string> checked_traceparent(const std::string& text) {
  if (text.empty() || TraceContext::parse(text)) return text;
  return make_error(Code::kInvalidArgument, "--traceparent: '{}' is no W3C traceparent, as 00-TRACE-SPAN-01", text);
}

Status invoke(const InvokeOptions& options, const Session& session) {
  crypto::protect_process();
  CallOptions call;
  TCFDL_ASSIGN(call.protection, protection_from_name(options.protection));
  call.timeout = options.timeout;
  call.cluster = options.cluster;
  call.route = options.route;
  call.assurance = options.assurance;
  call.task_id = options.task_id;
  call.receipt = !options.receipt.empty();
  TCFDL_ASSIGN(call.priority, priority_from_name(options.priority));
  call.retry_busy = !options.fail_when_full;
  TCFDL_ASSIGN(call.traceparent, checked_traceparent(options.traceparent));
  call.tracestate = options.tracestate;
  TCFDL_ASSIGN(const auto body, InputBody::open(options.in));
  TCFDL_ASSIGN(const auto client, Client::connect(session.context));
  OutputBody result(options.out);
  TCFDL_ASSIGN(const auto report, client->call(options.function, *body, result, call));
  TCFDL_TRY(result.finish());
  if (call.receipt) {
    // It holds the salts, so it is for the caller alone.
    TCFDL_TRY(write_file(std::filesystem::absolute(options.receipt), report.receipt, kPrivateFile));
  }
  return tell(options, session.json, report, result.size());
}

} // namespace

void add_invoke_command(CLI::App& app, Session& session) {
  auto* command = app.add_subcommand("invoke", "call a function; the body is sealed here");
  auto options = std::make_shared<InvokeOptions>();
  command->add_option("function", options->function, "its name, as plates/read")->required();
  command->add_option("--in", options->in, "the body; - is standard input")->type_name("FILE");
  command->add_option("--out", options->out, "where the result goes; - is standard output")->type_name("FILE");
  command->add_option("--protection", options->protection, "eae (end to end), hse (hop by hop) or none")
      ->check(CLI::IsMember({"eae", "hse", "none"}));
  command->add_option("--assurance", options->assurance, "the least class that may see the data: software or hardware")
      ->check(CLI::IsMember({"software", "hardware"}));
  command->add_option("--cluster", options->cluster, "only there")->type_name("NAME");
  command->add_option("--route", options->route, "only by this way to the instance: local, tcp, tls or relay")
      ->check(CLI::IsMember({"local", "tcp", "tls", "relay"}));
  add_duration(*command, "--timeout", options->timeout, "of the whole call; default 30s");
  command->add_option("--priority", options->priority, "low, normal or high; high where the cluster permits it")
      ->check(CLI::IsMember({"low", "normal", "high"}));
  command->add_flag("--fail-when-full", options->fail_when_full, "no second try within --timeout when a queue is full");
  command->add_option("--traceparent", options->traceparent, "the W3C trace context that the call is part of")
      ->type_name("TEXT");
  command->add_option("--tracestate", options->tracestate, "goes with --traceparent")->type_name("TEXT");
  command->add_option("--summary", options->summary, "write where and how long as JSON there")->type_name("FILE");
  command->add_option("--task-id", options->task_id, "makes repeats of the call one task")->type_name("UUID");
  command->add_option("--receipt", options->receipt, "write there what the instance signed; `receipt verify` reads it")
      ->type_name("FILE");
  command->callback(session.run([&session, options] { return invoke(*options, session); }));
}

} // namespace tcfdl::cli
