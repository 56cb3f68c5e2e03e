// The subjects of a cluster's message queue and of the service manager's. Where somebody speaks for himself, his name
// is in the subject and his credential allows no other: docs/formats/nats_credentials.md.
#pragma once

#include "message_queue/stream.hpp"

#include <string>

namespace tcfdl::collaboration {

/// The name of a cluster's user at another cluster's server. No node has it: names of nodes lack `_`.
inline std::string link_user(const std::string& cluster) { return "link_" + cluster; }

/// Begin of the subjects where a user expects answers.
inline std::string inbox_prefix(const std::string& user) { return "_INBOX_" + user; }

/// Served by a master for the masters of other clusters: LinkRequest in, LinkReply out.
inline std::string link_subject(const std::string& asking_cluster) { return "tcfdl.link.request." + asking_cluster; }
inline const std::string kLinkSubjects = "tcfdl.link.request.*";

/// Served by a node: opens a stream to one of its instances; the hello is an OpenRelay.
inline std::string relay_subject(const std::string& node) { return "tcfdl.link.open." + node; }

/// Settings of such streams: where a node's streams run, for both ends, and who opens them.
inline message_queue::StreamSettings relay_stream(const std::string& node, const std::string& opener = {}) {
  message_queue::StreamSettings settings;
  settings.prefix = "tcfdl.stream." + node;
  if (!opener.empty()) settings.opener = opener;
  return settings;
}

/// Served by a node for its master: NodeCommand in, NodeCommandReply out.
inline std::string command_subject(const std::string& node) { return "tcfdl.node." + node + ".command"; }

/// Served by a master for its nodes: NodeReport in; `status` and `events` have no answer, `authority` an
/// AuthorityReply.
inline std::string report_subject(const std::string& node, const std::string& what) {
  return "tcfdl.master.report." + node + "." + what;
}

/// The node in a subject as above, or the cluster at the end of one: the token at `index` from 0, empty if there is
/// none.
inline std::string_view subject_token(std::string_view subject, std::size_t index) {
  for (; index > 0; --index) {
    const auto dot = subject.find('.');
    if (dot == std::string_view::npos) return {};
    subject.remove_prefix(dot + 1);
  }
  return subject.substr(0, subject.find('.'));
}
inline constexpr std::size_t kReportingNode = 3;
inline constexpr std::size_t kAskingCluster = 3;

/// Served by a master for nodes that enrol: an AuthorityRequest in, an AuthorityReply out.
inline const std::string kEnrolSubject = "tcfdl.master.enrol";
/// Served by a master for its nodes: an AuthenticatedRequest around a CredentialRequest in, a CredentialReply out.
inline const std::string kCredentialSubject = "tcfdl.master.credential";

/// Served by the service manager, for one cluster's master each.
inline std::string authority_subject(const std::string& cluster) { return "tcfdl.sm.authority." + cluster; }
inline std::string registry_subject(const std::string& cluster) { return "tcfdl.sm.registry." + cluster; }
inline std::string credential_subject(const std::string& cluster) { return "tcfdl.sm.credential." + cluster; }
inline const std::string kServiceEnrolSubject = "tcfdl.sm.enrol";

/// Where a signed RevocationList is told: by the service manager to masters, and by a master to its nodes.
inline const std::string kServiceRevocationsSubject = "tcfdl.sm.revocations";
inline const std::string kRevocationsSubject = "tcfdl.master.revocations";

} // namespace tcfdl::collaboration
