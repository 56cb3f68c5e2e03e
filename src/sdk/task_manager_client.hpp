// The task manager over its direct connection, and the cluster's entry proxy behind the same door.
#pragma once

#include "base/guarded.hpp"
#include "sdk/identity.hpp"
#include "sdk/ports.hpp"
#include "wire/body.hpp"
#include "wire/socket.hpp"

#include <functional>
#include <tcfdl/client.hpp>
#include <vector>

namespace tcfdl::sdk {

/// Makes a connection to the task manager, before its first frame; any thread.
using Connector = std::function<Result<std::unique_ptr<wire::Connection>>(Deadline)>;

/// Without TLS: to a task manager on this machine.
Connector connector_to(wire::Address address);

/// Keeps idle connections for the next request. Thread-safe.
class TaskManagerClient final : public TaskManager, public Proxy {
public:
  /// `on_renewed` is told of every certificate that the cluster gives in place of the identity's; from any thread.
  TaskManagerClient(Connector connector, std::string token, const Identity& identity,
                    std::function<void(const wire::Signed&)> on_renewed = {})
      : connector_(std::move(connector)), token_(std::move(token)), identity_(identity),
        on_renewed_(std::move(on_renewed)) {}

  Result<wire::LeaseGrant> lease(const wire::LeaseRequest& request, Deadline deadline,
                                 const std::stop_token& cancel) override;
  void release(const wire::LeaseRelease& release) override;
  Result<std::unique_ptr<wire::Connection>> open_relay(const wire::OpenRelay& relay, Deadline deadline) override;
  Result<wire::ProxyReply> request(const wire::ProxyRequest& request, Deadline deadline) override;

  /// Fetches an artefact of the cluster by its SHA-256, piece by piece into `out`.
  Status fetch_file(const std::string& digest, BodyWriter& out, Deadline deadline);

  /// Has a client's certificate replaced when the first half of its life has passed. UNAVAILABLE while there is none
  /// that is newer.
  Status renew(Deadline deadline);

  // Of asynchronous tasks; docs/formats/task_protocol.md.
  Result<wire::FunctionOffer> describe(const std::string& function, Deadline deadline);
  struct Submission {
    wire::StoredTask task;
    bool known = false; ///< from an earlier submission, as which it was sealed
  };
  /// Sends the body, sealed where there are keys, unless the id is known already.
  Result<Submission> submit(const wire::SubmitTask& task, std::optional<crypto::StreamKeys> keys, BytesView body,
                            Deadline deadline);
  /// `read` takes the result's segments, where the answer has a result.
  using ReadResult = std::function<Status(const wire::StoredTask&, wire::Connection&)>;
  Result<wire::StoredTask> query(const wire::TaskQuery& query, Deadline deadline, const ReadResult& read);
  Result<wire::StoredTask> cancel(const wire::TaskCancel& cancel, Deadline deadline);
  Result<wire::StoredTasks> list(const wire::TaskListing& listing, Deadline deadline);

  /// Of topics; docs/formats/topics.md. `cancel` ends the wait for an answer.
  Result<wire::TopicReply> topic(const wire::TopicRequest& request, Deadline deadline,
                                 const std::stop_token& cancel = {});

  /// What took the place of a client's certificate, unverified; an empty one for none. For gateways.
  Result<wire::Signed> newest_certificate(const wire::Signed& certificate, Deadline deadline);
  /// Hands spans to the master, which exports them. For gateways.
  Status spans(const wire::Spans& spans, Deadline deadline);
  /// Tells the master whom it refused, for the audit log. For gateways.
  Status refusals(const wire::Refusals& refusals, Deadline deadline);

private:
  using ConnectionPtr = std::unique_ptr<wire::Connection>;

  Result<ConnectionPtr> connect(Deadline deadline);
  Result<ConnectionPtr> take(Deadline deadline);
  void give_back(ConnectionPtr connection);
  Result<wire::TaskManagerReply> exchange(const wire::TaskManagerRequest& request, Deadline deadline,
                                          const std::stop_token& cancel = {});
  /// As `exchange`, and gives the connection on which frames of a body follow.
  Result<wire::TaskManagerReply> begin(const wire::TaskManagerRequest& request, Deadline deadline, ConnectionPtr& used);
  Result<wire::TaskManagerReply> exchange_on(ConnectionPtr connection, const wire::TaskManagerRequest& request,
                                             Deadline deadline, const std::stop_token& cancel);

  const Connector connector_;
  std::string token_;
  const Identity& identity_;
  const std::function<void(const wire::Signed&)> on_renewed_;
  Guarded<std::vector<ConnectionPtr>> idle_;
};

/// Whether the peer of an idle connection is still there and silent.
bool is_fresh(const wire::Connection& connection);

} // namespace tcfdl::sdk
