#include "sdk/task_manager_client.hpp"

#include <poll.h>

namespace tcfdl::sdk {
namespace {

constexpr std::size_t kMostIdleLinks = 64;
constexpr std::uint64_t kLargestFile = std::uint64_t{4} << 30U;

} // namespace

Connector connector_to(wire::Address address) {
  return [address = std::move(address)](Deadline deadline) -> Result<std::unique_ptr<wire::Connection>> {
    return wire::connect(address, deadline);
  };
}

bool is_fresh(const wire::Connection& connection) {
  pollfd entry{connection.descriptor(), POLLIN | POLLRDHUP, 0};
  return ::poll(&entry, 1, 0) == 0;
}

Result<wire::LeaseGrant> TaskManagerClient::lease(const wire::LeaseRequest& request, Deadline deadline,
                                                  const std::stop_token& cancel) {
  wire::TaskManagerRequest message;
  *message.mutable_lease() = request;
  auto reply = exchange(message, deadline, cancel);
  if (!reply && cancel.stop_requested()) return Error(Code::kCancelled, "the caller cancelled the task");
  if (!reply) return reply.error();
  if (!reply->has_grant()) return Error(Code::kInternal, "the task manager answered with no lease");
  return std::move(*reply->mutable_grant());
}

void TaskManagerClient::release(const wire::LeaseRelease& release) {
  wire::TaskManagerRequest message;
  *message.mutable_release() = release;
  // Who waits for the answer is late with its own; an unused lease also ends by itself.
  (void)exchange(message, Deadline::after(std::chrono::milliseconds(250)));
}

Result<std::unique_ptr<wire::Connection>> TaskManagerClient::open_relay(const wire::OpenRelay& relay,
                                                                        Deadline deadline) {
  TCFDL_ASSIGN(auto connection, connect(deadline));
  wire::TaskManagerRequest message;
  *message.mutable_open_relay() = relay;
  TCFDL_ASSIGN(const auto reply, wire::exchange<wire::TaskManagerReply>(*connection, message, deadline));
  if (reply.has_error()) return wire::to_error(reply.error());
  return connection;
}

Result<wire::ProxyReply> TaskManagerClient::request(const wire::ProxyRequest& request, Deadline deadline) {
  wire::TaskManagerRequest message;
  *message.mutable_proxy() = request;
  TCFDL_ASSIGN(auto reply, exchange(message, deadline));
  if (!reply.has_proxy()) return Error(Code::kInternal, "the entry proxy gave no answer");
  if (reply.proxy().has_error()) return wire::to_error(reply.proxy().error());
  return std::move(*reply.mutable_proxy());
}

Status TaskManagerClient::fetch_file(const std::string& digest, BodyWriter& out, Deadline deadline) {
  TCFDL_ASSIGN(auto connection, take(deadline));
  wire::TaskManagerRequest message;
  message.mutable_fetch_file()->set_digest(digest);
  TCFDL_ASSIGN(const auto reply, wire::exchange<wire::TaskManagerReply>(*connection, message, deadline));
  if (reply.has_error()) return wire::to_error(reply.error());
  wire::SegmentReader reader(*connection, std::nullopt, deadline, kLargestFile);
  Bytes piece(crypto::kSegmentSize);
  while (!reader.at_end()) {
    TCFDL_ASSIGN(const auto size, reader.read(piece));
    TCFDL_TRY(out.write(BytesView(piece).first(size)));
  }
  give_back(std::move(connection));
  return {};
}

Result<wire::Signed> TaskManagerClient::newest_certificate(const wire::Signed& certificate, Deadline deadline) {
  wire::TaskManagerRequest message;
  *message.mutable_newest_certificate() = certificate;
  TCFDL_ASSIGN(auto reply, exchange(message, deadline));
  if (!reply.has_certificate()) return Error(Code::kInternal, "the task manager answered with no certificate");
  return std::move(*reply.mutable_certificate());
}

Status TaskManagerClient::spans(const wire::Spans& spans, Deadline deadline) {
  wire::TaskManagerRequest message;
  *message.mutable_spans() = spans;
  TCFDL_TRY(exchange(message, deadline));
  return {};
}

Status TaskManagerClient::refusals(const wire::Refusals& refusals, Deadline deadline) {
  wire::TaskManagerRequest message;
  *message.mutable_refusals() = refusals;
  TCFDL_TRY(exchange(message, deadline));
  return {};
}

Status TaskManagerClient::renew(Deadline deadline) {
  TCFDL_ASSIGN(auto connection, connect(deadline)); // the welcome brings it
  give_back(std::move(connection));
  if (identity_.certificate.lifetime().until_half(SystemClock().now()) > std::chrono::seconds(0)) return {};
  return Error(Code::kUnavailable, "the cluster gives no newer certificate");
}

Result<TaskManagerClient::ConnectionPtr> TaskManagerClient::connect(Deadline deadline) {
  TCFDL_ASSIGN(ConnectionPtr connection, connector_(deadline));
  TCFDL_ASSIGN(const auto hello, wire::receive_message<wire::Hello>(*connection, deadline));
  wire::TaskManagerRequest message;
  auto& answer = *message.mutable_hello();
  *answer.mutable_certificate() = identity_.certificate.get();
  answer.set_token(token_);
  answer.set_signature(
      wire::field(wire::sign_labelled(identity_.signing, "Hello", {as_bytes(hello.nonce()), as_bytes(hello.name())})));
  TCFDL_ASSIGN(const auto welcome, wire::exchange<wire::TaskManagerReply>(*connection, message, deadline));
  if (welcome.has_error()) return wire::to_error(welcome.error());
  if (const auto& newer = welcome.welcome().certificate(); !newer.statement().empty()) {
    TCFDL_TRY(identity_.certificate.adopt(newer, identity_.authority, SystemClock().now()));
    if (on_renewed_) on_renewed_(newer);
  }
  return connection;
}

Result<TaskManagerClient::ConnectionPtr> TaskManagerClient::take(Deadline deadline) {
  for (;;) {
    auto idle = idle_.with([](auto& connections) -> ConnectionPtr {
      if (connections.empty()) return nullptr;
      auto last = std::move(connections.back());
      connections.pop_back();
      return last;
    });
    if (!idle) return connect(deadline);
    if (is_fresh(*idle)) return idle;
  }
}

void TaskManagerClient::give_back(ConnectionPtr connection) {
  idle_.with([&](auto& connections) {
    if (connections.size() < kMostIdleLinks) connections.push_back(std::move(connection));
  });
}

Result<wire::TaskManagerReply> TaskManagerClient::exchange(const wire::TaskManagerRequest& request, Deadline deadline,
                                                           const std::stop_token& cancel) {
  TCFDL_ASSIGN(auto connection, take(deadline));
  auto reply = exchange_on(std::move(connection), request, deadline, cancel);
  if (reply || reply.error().code() != Code::kUnauthenticated) return reply;
  // The certificate has been replaced since the connection was made; a new one gets the successor.
  idle_.with([](auto& connections) { connections.clear(); });
  TCFDL_ASSIGN(connection, connect(deadline));
  return exchange_on(std::move(connection), request, deadline, cancel);
}

Result<wire::TaskManagerReply> TaskManagerClient::exchange_on(ConnectionPtr connection,
                                                              const wire::TaskManagerRequest& request,
                                                              Deadline deadline, const std::stop_token& cancel) {
  Result<wire::TaskManagerReply> reply = Error(Code::kInternal, "");
  {
    const std::stop_callback leave(cancel, [&] { connection->shutdown(); });
    reply = wire::exchange<wire::TaskManagerReply>(*connection, request, deadline);
  }
  if (!reply) return reply;
  if (reply->has_error()) {
    const auto error = wire::to_error(reply->error());
    if (error.code() != Code::kUnauthenticated) give_back(std::move(connection)); // else its peer hangs up
    return error;
  }
  give_back(std::move(connection));
  return reply;
}

} // namespace tcfdl::sdk
