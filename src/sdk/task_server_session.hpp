// What a task server keeps of a connection and of a task: shared by the files that implement it.
#pragma once

#include "crypto/random.hpp"
#include "sdk/task_server.hpp"

namespace tcfdl::sdk {

/// One caller's connection.
struct TaskServer::Session {
  wire::Connection& connection;
  Reach reach = Reach::kClosed;
  std::array<std::uint8_t, 32> nonce = crypto::random_array<32>();
  std::string caller_key = {};                ///< or a presenting master's; proven; empty before
  const wire::HopChannel* hop = nullptr;      ///< `connection`, where it is the end of a path of proxies
  const wire::HopRoute* route = nullptr;      ///< of that path, as the last proxy vouches for it
  std::unique_ptr<OpenBurst> burst = nullptr; ///< the last that was shown
};

/// An admitted task.
struct TaskServer::Task {
  wire::Lease lease;
  wire::SealedHeader header;
  std::string header_bytes;
  std::string salt;
  CapsuleSecretPtr secret; ///< nullptr: no protection
  std::uint32_t attempt;
  Deadline deadline;
  std::stop_source stop;
  bool working = true; ///< counts against the concurrency
  std::uint32_t code = 0;
  std::uint64_t run_us = 0;
  wire::TaskTraffic traffic = {};
  std::unique_ptr<wire::OpenSpan> span = nullptr; ///< of the task; set once it is admitted
  std::string tracestate = {};
  std::optional<ReceiptDraft> receipt = {};      ///< where the caller asked for one
  OpenBurst* burst = nullptr;                    ///< that it is of
  std::optional<TriggeringMessage> message = {}; ///< that the task is to handle; it has no result

  /// Of what the handler does.
  [[nodiscard]] const TraceContext& trace() const { return span->context(); }

  /// As whose the outcome is kept. That a caller sent what its master presents without protection is the master's word:
  /// it gives no way to what the caller itself sent.
  [[nodiscard]] std::string sender() const {
    return lease.presented() && !secret ? "presented " + lease.caller_key() : lease.caller_key();
  }

  [[nodiscard]] std::optional<crypto::StreamKeys> request_keys() const {
    if (!secret) return std::nullopt;
    const auto bytes = as_bytes(salt).first<crypto::kSaltSize>();
    const auto direction = message ? wire::kTopicDirection : wire::kRequestDirection;
    return crypto::derive_stream_keys(secret->key.span(), bytes, direction, as_bytes(header_bytes));
  }
};

} // namespace tcfdl::sdk
