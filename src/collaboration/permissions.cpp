#include "collaboration/permissions.hpp"

#include "collaboration/subjects.hpp"

namespace tcfdl::collaboration {
namespace {

std::string inbox(const std::string& user) { return inbox_prefix(user) + ".>"; }

/// A stream's two subjects, `a` read by who opened it and `b` by the node.
std::string stream(const std::string& node, const std::string& opener, const std::string& side) {
  return "tcfdl.stream." + node + "." + opener + ".*." + side;
}

void add(std::vector<std::string>& list, std::initializer_list<std::string> more) {
  list.insert(list.end(), more.begin(), more.end());
}

} // namespace

Permissions worker_permissions(const std::string& node) {
  return {.publish = {report_subject(node, "*"), kCredentialSubject, stream(node, "*", "a"), tasks_subject(node),
                      stream(kTasksStreams, node, "b")},
          .subscribe = {inbox(node), command_subject(node), relay_subject(node), kRevocationsSubject,
                        stream(node, "*", "b"), stream(kTasksStreams, node, "a")},
          .answers = true};
}

Permissions master_permissions(const std::string& node) {
  auto all = worker_permissions(node);
  add(all.publish, {command_subject("*"), relay_subject("*"), kRevocationsSubject, stream("*", node, "b"),
                    stream(kTasksStreams, "*", "a")});
  add(all.subscribe, {report_subject("*", "*"), kEnrolSubject, kCredentialSubject, kLinkSubjects,
                      stream("*", node, "a"), tasks_subject("*"), stream(kTasksStreams, "*", "b")});
  const auto bucket = "KV_" + kRoutesBucket;
  add(all.publish, {"$JS.API.STREAM.INFO." + bucket, "$JS.API.STREAM.CREATE." + bucket,
                    "$JS.API.STREAM.UPDATE." + bucket, "$KV." + kRoutesBucket + ".>"});
  // Of topics: logs and their readers, by verb.
  add(all.publish,
      {"$JS.API.STREAM.INFO.*", "$JS.API.STREAM.CREATE.*", "$JS.API.STREAM.DELETE.*", "$JS.API.STREAM.PURGE.*",
       "$JS.API.CONSUMER.INFO.*.*", "$JS.API.CONSUMER.DURABLE.CREATE.*.*", "$JS.API.CONSUMER.CREATE.*.*",
       "$JS.API.CONSUMER.DELETE.*.*", "$JS.API.CONSUMER.MSG.NEXT.*.*", "$JS.ACK.>", "tcfdl.log.*"});
  return all;
}

Permissions enrolling_worker_permissions(const std::string& user) {
  return {.publish = {kEnrolSubject, kCredentialSubject}, .subscribe = {inbox(user)}};
}

Permissions link_permissions(const std::string& cluster) {
  const auto user = link_user(cluster);
  return {.publish = {link_subject(cluster), relay_subject("*"), stream("*", user, "b")},
          .subscribe = {inbox(user), stream("*", user, "a")}};
}

Permissions service_manager_permissions(const std::string& user) {
  return {.publish = {kServiceRevocationsSubject},
          .subscribe = {inbox(user), authority_subject("*"), registry_subject("*"), credential_subject("*"),
                        kServiceEnrolSubject},
          .answers = true};
}

Permissions cluster_permissions(const std::string& cluster) {
  return {.publish = {authority_subject(cluster), registry_subject(cluster), credential_subject(cluster),
                      kServiceEnrolSubject},
          .subscribe = {inbox(cluster), kServiceRevocationsSubject}};
}

Permissions enrolling_master_permissions(const std::string& user, const std::string& cluster) {
  return {.publish = {kServiceEnrolSubject, credential_subject(cluster)}, .subscribe = {inbox(user)}};
}

} // namespace tcfdl::collaboration
