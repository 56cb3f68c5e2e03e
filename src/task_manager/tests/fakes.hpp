// Ports of the task manager, played by hand.
#pragma once

#include "task_manager/task_manager.hpp"

#include <atomic>
#include <functional>
#include <gtest/gtest.h>
#include <thread>

namespace tcfdl::task_manager::testing {

class ManualTime final : public TimeSource {
public:
  [[nodiscard]] std::chrono::steady_clock::time_point steady() const override { return now_; }
  [[nodiscard]] std::int64_t unix_millis() const override { return 1'000'000; }
  void advance(std::chrono::milliseconds by) { now_.store(now_.load() + by); }

private:
  std::atomic<std::chrono::steady_clock::time_point> now_{std::chrono::steady_clock::time_point{std::chrono::hours(1)}};
};

/// Puts the lease in the open.
class FakeSigner final : public LeaseSigner {
public:
  wire::Signed sign(const wire::Lease& lease) override {
    wire::Signed result;
    result.set_statement(lease.SerializeAsString());
    result.set_signature("signed");
    return result;
  }
  wire::Signed certificate() override {
    wire::Signed result;
    result.set_statement("master");
    return result;
  }
};

class FakePeers final : public Peers {
public:
  bool provides(const FunctionName&) override { return providing; }
  Result<wire::LeaseGrant> lease(const wire::LeaseRequest& request, Deadline) override {
    asked.push_back(request);
    if (before_answer) before_answer();
    return answer;
  }
  void release(const wire::LeaseRelease& release) override { released.push_back(release.lease_id()); }

  bool providing = false;
  Result<wire::LeaseGrant> answer = Error(Code::kUnavailable, "no link");
  std::function<void()> before_answer;
  std::vector<wire::LeaseRequest> asked;
  std::vector<std::string> released;
};

class FakeRecalls final : public Recalls {
public:
  void recall(const Recall& burst) override {
    const std::scoped_lock lock(mutex_);
    leases_.push_back(burst.lease_id);
  }
  std::vector<std::string> leases() {
    const std::scoped_lock lock(mutex_);
    return leases_;
  }

private:
  std::mutex mutex_;
  std::vector<std::string> leases_; // guarded by mutex_
};

class TaskManagerTest : public ::testing::Test {
protected:
  static constexpr const char* kFunction = "plates/read";

  TaskManagerTest() { add_function(); }

  FunctionPolicy policy() {
    FunctionPolicy result;
    result.name = FunctionName(kFunction);
    result.version = 1;
    result.queue_limit = 2;
    result.assurance = "software";
    result.descriptor.set_statement("descriptor 1");
    return result;
  }
  void add_function() { manager_.set_function(policy()); }
  void add_instance(const std::string& id, std::uint64_t version = 1) {
    InstanceInfo info;
    info.id = InstanceId(id);
    info.function = FunctionName(kFunction);
    info.node = NodeId("worker-1");
    info.tee_kind = "software";
    info.version = version;
    info.routes.emplace_back().set_address("unix:/" + id);
    info.far_routes.emplace_back().set_address("tcp:192.0.2.1:4000");
    manager_.set_instance(info);
  }
  static wire::LeaseRequest request(std::uint32_t remaining_ms = 60'000) {
    wire::LeaseRequest result;
    result.set_task_id(make_uuid());
    result.set_function(kFunction);
    result.set_remaining_ms(remaining_ms);
    result.set_caller("camera");
    result.set_caller_key("key");
    return result;
  }
  Result<wire::LeaseGrant> acquire(const wire::LeaseRequest& request) { return manager_.acquire(request, {}); }
  static wire::Lease lease_of(const Result<wire::LeaseGrant>& grant) {
    wire::Lease lease;
    lease.ParseFromString(grant.value().lease().statement());
    return lease;
  }
  void tell(const Result<wire::LeaseGrant>& grant, bool started, bool done, std::uint32_t code = 0,
            std::uint64_t run_us = 0) {
    wire::TaskEvent event;
    event.set_lease_id(lease_of(grant).lease_id());
    event.set_instance(grant->instance());
    event.set_started(started);
    event.set_done(done);
    event.set_code(code);
    event.set_run_us(run_us);
    manager_.handle_event(event);
  }
  FunctionStats stats() { return manager_.stats().at(0); }
  void await_waiting(std::size_t count) {
    while (stats().waiting != count) std::this_thread::yield();
  }

  ManualTime time_;
  FakeSigner signer_;
  FakePeers peers_;
  FakeRecalls recalls_;
  TaskManager manager_{{.cluster = ClusterId("here")}, signer_, peers_, recalls_, time_};
};

/// An `acquire` on a thread of its own.
class Waiting {
public:
  Waiting(TaskManager& manager, wire::LeaseRequest request)
      : thread_([this, &manager, request = std::move(request)] {
          outcome_ = manager.acquire(request, stop_.get_token());
        }) {}
  void cancel() { stop_.request_stop(); }
  Result<wire::LeaseGrant> get() {
    thread_.join();
    return *outcome_;
  }

private:
  std::stop_source stop_;
  std::optional<Result<wire::LeaseGrant>> outcome_;
  std::jthread thread_;
};

} // namespace tcfdl::task_manager::testing
