// The part of the task manager's client that submits tasks and asks for them, and that of topics.
#include "sdk/task_manager_client.hpp"

namespace tcfdl::sdk {
namespace {

Error no_such_answer(std::string_view what) {
  return make_error(Code::kInternal, "the task manager answered with no {}", what);
}

} // namespace

Result<wire::TaskManagerReply> TaskManagerClient::begin(const wire::TaskManagerRequest& request, Deadline deadline,
                                                        ConnectionPtr& used) {
  TCFDL_ASSIGN(used, take(deadline));
  auto reply = wire::exchange<wire::TaskManagerReply>(*used, request, deadline);
  if (reply && reply->has_error() && wire::to_error(reply->error()).code() == Code::kUnauthenticated) {
    // The certificate has been replaced since the connection was made; a new one gets the successor.
    TCFDL_ASSIGN(used, connect(deadline));
    reply = wire::exchange<wire::TaskManagerReply>(*used, request, deadline);
  }
  if (!reply) return reply;
  if (reply->has_error()) return wire::to_error(reply->error());
  return reply;
}

Result<wire::FunctionOffer> TaskManagerClient::describe(const std::string& function, Deadline deadline) {
  wire::TaskManagerRequest message;
  message.mutable_describe()->set_function(function);
  TCFDL_ASSIGN(auto reply, exchange(message, deadline));
  if (!reply.has_offer()) return no_such_answer("function");
  return std::move(*reply.mutable_offer());
}

Result<TaskManagerClient::Submission> TaskManagerClient::submit(const wire::SubmitTask& task,
                                                                std::optional<crypto::StreamKeys> keys, BytesView body,
                                                                Deadline deadline) {
  wire::TaskManagerRequest message;
  *message.mutable_submit() = task;
  ConnectionPtr connection;
  TCFDL_ASSIGN(auto reply, begin(message, deadline, connection));
  const bool known = reply.has_task();
  if (!known) { // it has room for the body and wants it
    TCFDL_TRY(wire::send_body(*connection, std::move(keys), body, deadline));
    TCFDL_ASSIGN(reply, wire::receive_message<wire::TaskManagerReply>(*connection, deadline));
    if (reply.has_error()) return wire::to_error(reply.error());
  }
  if (!reply.has_task()) return no_such_answer("task");
  give_back(std::move(connection));
  return Submission{std::move(*reply.mutable_task()), known};
}

Result<wire::StoredTask> TaskManagerClient::query(const wire::TaskQuery& query, Deadline deadline,
                                                  const ReadResult& read) {
  wire::TaskManagerRequest message;
  *message.mutable_query() = query;
  ConnectionPtr connection;
  TCFDL_ASSIGN(auto reply, begin(message, deadline, connection));
  if (!reply.has_task()) return no_such_answer("task");
  if (!reply.task().result_header().empty()) TCFDL_TRY(read(reply.task(), *connection));
  give_back(std::move(connection));
  return std::move(*reply.mutable_task());
}

Result<wire::StoredTask> TaskManagerClient::cancel(const wire::TaskCancel& cancel, Deadline deadline) {
  wire::TaskManagerRequest message;
  *message.mutable_cancel() = cancel;
  TCFDL_ASSIGN(auto reply, exchange(message, deadline));
  if (!reply.has_task()) return no_such_answer("task");
  return std::move(*reply.mutable_task());
}

Result<wire::StoredTasks> TaskManagerClient::list(const wire::TaskListing& listing, Deadline deadline) {
  wire::TaskManagerRequest message;
  *message.mutable_list() = listing;
  TCFDL_ASSIGN(auto reply, exchange(message, deadline));
  if (!reply.has_tasks()) return no_such_answer("list");
  return std::move(*reply.mutable_tasks());
}

Result<wire::TopicReply> TaskManagerClient::topic(const wire::TopicRequest& request, Deadline deadline,
                                                  const std::stop_token& cancel) {
  wire::TaskManagerRequest message;
  *message.mutable_topic() = request;
  TCFDL_ASSIGN(auto reply, exchange(message, deadline, cancel));
  return std::move(*reply.mutable_topic());
}

} // namespace tcfdl::sdk
