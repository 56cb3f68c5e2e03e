#include "node/node_reports.hpp"

#include "collaboration/subjects.hpp"

namespace tcfdl::node {
namespace {

using std::chrono::seconds;

/// A report, if it is of the node that its subject names, which is who may publish there.
Result<wire::NodeReport> read_report(const message_queue::Message& message) {
  TCFDL_ASSIGN(auto report, wire::parse<wire::NodeReport>(message.data));
  const auto node = collaboration::subject_token(message.subject, collaboration::kReportingNode);
  if (report.node() == node && (!report.has_status() || report.status().node() == node)) return report;
  return Error(Code::kPermissionDenied, "a node reports in its own name only");
}

} // namespace

Status check_proxys_request(BytesView bytes) {
  TCFDL_ASSIGN(const auto request, wire::parse<wire::AuthorityRequest>(bytes));
  if (request.has_instance_keys() || request.has_sender_keys() || request.has_receiver_keys() ||
      request.has_renew_node()) {
    return {};
  }
  return Error(Code::kPermissionDenied,
               "nodes ask the authority for keys and their own certificates, and for nothing else");
}

Result<std::unique_ptr<NodeReports>> NodeReports::start(const Parts& parts) {
  auto reports = std::make_unique<NodeReports>();
  auto& bus = parts.bus;
  const auto subject = [](const char* what) { return collaboration::report_subject("*", what); };
  TCFDL_ASSIGN(reports->status_, bus.subscribe(subject("status"), [parts](const auto& message) {
    const auto report = read_report(message);
    if (!report || !report->has_status() || !parts.credentials.admits(report->node())) return;
    const auto& status = report->status();
    parts.instances.on_node_status(status);
    parts.tasks.reconcile(NodeId(status.node()), {status.running().begin(), status.running().end()});
    if (!status.unchanged()) parts.revocations.on_node(status.revocations());
  }));
  TCFDL_ASSIGN(reports->events_, bus.subscribe(subject("events"), [&to = parts.tasks](const auto& message) {
    const auto report = read_report(message);
    if (!report) return;
    for (const auto& event : report->tasks().events()) to.handle_event(event);
  }));
  const auto ask_authority = [&to = parts.service_manager](const auto& message) -> Result<Bytes> {
    TCFDL_ASSIGN(const auto report, read_report(message));
    TCFDL_TRY(check_proxys_request(as_bytes(report.authority())));
    return to.authority(as_bytes(report.authority()), Deadline::after(seconds(10)));
  };
  TCFDL_ASSIGN(reports->authority_, bus.serve(subject("authority"), ask_authority));
  const auto enrol = [&to = parts.service_manager_bus](BytesView bytes) {
    return to.request(collaboration::kServiceEnrolSubject, bytes, Deadline::after(seconds(10)));
  };
  TCFDL_ASSIGN(reports->enrol_, bus.serve(collaboration::kEnrolSubject, enrol));
  const auto issue = [&by = parts.credentials](BytesView bytes) { return by.handle(bytes); };
  TCFDL_ASSIGN(reports->credential_, bus.serve(collaboration::kCredentialSubject, issue));
  return reports;
}

} // namespace tcfdl::node
