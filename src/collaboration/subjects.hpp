// The subjects of a cluster's message queue.
#pragma once

#include <string>

namespace tcfdl::collaboration {

/// Served by a master for other masters: LinkRequest in, LinkReply out.
inline const std::string kLinkSubject = "tcfdl.link.request";

/// Served by a node: opens a stream to one of its instances; the hello is an OpenRelay.
inline std::string relay_subject(const std::string& node) { return "tcfdl.link.open." + node; }

/// Served by a node for its master: NodeCommand in, NodeCommandReply out.
inline std::string command_subject(const std::string& node) { return "tcfdl.node." + node + ".command"; }

/// Served by a master for its nodes: NodeReport in, an AuthorityReply or nothing out.
inline const std::string kReportSubject = "tcfdl.master.report";

/// Served by a master for nodes that enrol: an AuthorityRequest in, an AuthorityReply out.
inline const std::string kEnrolSubject = "tcfdl.master.enrol";

/// Served by the service manager for masters.
inline const std::string kAuthoritySubject = "tcfdl.sm.authority";
inline const std::string kRegistrySubject = "tcfdl.sm.registry";
inline const std::string kServiceEnrolSubject = "tcfdl.sm.enrol";

} // namespace tcfdl::collaboration
