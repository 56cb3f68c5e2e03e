// A task manager and instances of a courier, played by hand, and a store in a directory of its own.
#pragma once

#include "base/file.hpp"
#include "base/guarded.hpp"
#include "courier/courier.hpp"
#include "wire/tests/pipe.hpp"

#include <gtest/gtest.h>

namespace tcfdl::courier::testing {

class StoreTest : public ::testing::Test {
protected:
  void SetUp() override {
    settings_.directory = directory_.path() / "tasks";
    reopen();
  }
  void reopen() {
    store_.reset();
    database_.reset();
    database_ = database::Database::open(directory_.path() / "state.db").value();
    store_ = TaskStore::open(*database_, settings_, [this] { return now_.load(); }).value();
  }

  static Owner owner(const std::string& name) { return {name, "key of " + name, "", ""}; }
  wire::SealedHeader header(const std::string& id, const std::string& function = "plates/read") {
    wire::SealedHeader result;
    result.set_task_id(id);
    result.set_function(function);
    result.set_courier("west");
    result.set_assurance("software");
    result.set_protection("none");
    result.set_expires_ms(now_ + 60'000);
    return result;
  }
  static wire::SubmitTask submission(const wire::SealedHeader& header, const std::string& body,
                                     const std::string& tag = "tag") {
    wire::SubmitTask task;
    task.mutable_task()->set_header(header.SerializeAsString());
    task.set_body_size(body.size());
    task.set_body_tag(tag);
    return task;
  }
  Result<OpenTask> submit(const std::string& who, const std::string& id, const std::string& body = "body",
                          wire::Priority priority = wire::PRIORITY_NORMAL) {
    const auto sealed = header(id);
    auto task = submission(sealed, body);
    task.set_priority(priority);
    TCFDL_ASSIGN(auto begun, store_->begin(owner(who), task, sealed));
    auto* upload = std::get_if<TaskStore::Upload>(&begun);
    if (upload == nullptr) return Error(Code::kAlreadyExists, "it is stored already");
    TCFDL_TRY(upload->write(as_bytes(body)));
    return upload->commit();
  }
  [[nodiscard]] std::size_t files() const {
    const std::filesystem::directory_iterator all(settings_.directory);
    return static_cast<std::size_t>(std::distance(begin(all), end(all)));
  }
  wire::TaskState state_of(const std::string& who, const std::string& id) {
    const auto task = store_->get({owner(who).id(), id});
    return task ? task->state() : wire::TASK_STATE_UNSPECIFIED;
  }

  TemporaryDirectory directory_;
  StoreSettings settings_;
  std::atomic<std::int64_t> now_ = 1'000'000'000;
  std::unique_ptr<database::Database> database_;
  std::unique_ptr<TaskStore> store_;
};

/// Grants leases of one instance, as a test says.
class FakeLeases final : public Leases {
public:
  Result<wire::LeaseGrant> acquire(const wire::LeaseRequest& request, const std::stop_token& stop) override {
    std::unique_lock lock(mutex);
    asked.push_back(request);
    changed.notify_all();
    changed.wait(lock, stop, [&] { return open; });
    if (!open) return Error(Code::kCancelled, "left the queue");
    if (error) return *error;
    wire::Lease lease;
    lease.set_lease_id("lease of " + request.task_id());
    lease.set_task_id(request.task_id());
    wire::LeaseGrant grant;
    grant.mutable_lease()->set_statement(lease.SerializeAsString());
    grant.set_instance(instance);
    grant.set_node("worker-1");
    grant.set_assurance("software");
    return grant;
  }
  void release(const std::string& lease_id) override {
    const std::scoped_lock lock(mutex);
    released.push_back(lease_id);
  }
  bool resume(const wire::LeaseRequest&, const std::string& name) override {
    const std::scoped_lock lock(mutex);
    return name == instance;
  }
  bool is_idempotent(const std::string&) override {
    const std::scoped_lock lock(mutex);
    return idempotent;
  }
  void set_open(bool now) {
    const std::scoped_lock lock(mutex);
    open = now;
    changed.notify_all();
  }
  /// Waits until so many were asked for.
  void await(std::size_t count) {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return asked.size() >= count; });
  }

  std::mutex mutex;
  std::condition_variable_any changed;
  bool open = true;
  std::optional<Error> error;
  std::string instance = "read-1";
  bool idempotent = false;
  std::vector<wire::LeaseRequest> asked;
  std::vector<std::string> released;
};

/// Instances that a function plays, a connection at a time.
class FakeInstances final : public Instances {
public:
  using Play = std::function<void(wire::Connection&, const wire::TaskRequest&)>;

  Result<std::unique_ptr<wire::Connection>> open(const std::string&, const std::string& instance) override {
    auto pipe = std::make_shared<wire::Pipe>();
    auto near = std::move(pipe->left);
    const std::scoped_lock lock(mutex_);
    threads_.emplace_back([this, pipe, instance] {
      auto& connection = *pipe->right;
      wire::Hello hello;
      hello.set_name(instance);
      const auto deadline = Deadline::after(std::chrono::seconds(20));
      if (!wire::send_message(connection, hello, deadline)) return;
      const auto request = wire::receive_message<wire::TaskRequest>(connection, deadline);
      if (request) play(connection, *request);
      connection.shutdown();
    });
    return near;
  }
  std::string possession(const wire::Hello& hello) override { return "I hold it, " + hello.name(); }
  wire::Signed certificate() override { return {}; }

  Play play = answer_with(0, "result");

  /// Reads the body, accepts, and answers.
  static Play answer_with(std::uint32_t code, const std::string& result) {
    return [=](wire::Connection& connection, const wire::TaskRequest& request) {
      read_body(connection);
      accept(connection);
      answer(connection, request, code, result);
    };
  }
  static void answer(wire::Connection& connection, const wire::TaskRequest& request, std::uint32_t code,
                     const std::string& result) {
    const auto deadline = Deadline::after(std::chrono::seconds(20));
    wire::SealedHeader header;
    header.ParseFromString(request.sealed_header());
    wire::ResultHeader answer;
    answer.set_task_id(header.task_id());
    answer.set_instance("read-1");
    answer.set_code(code);
    wire::TaskReply reply;
    reply.mutable_result()->set_header(answer.SerializeAsString());
    (void)wire::send_message(connection, reply, deadline);
    (void)connection.send(wire::FrameKind::kLastSegment, as_bytes(result), deadline);
    Bytes rest;
    (void)connection.receive(rest, deadline); // until the courier hangs up
  }
  static Play refuse_with(const Error& error) {
    return [=](wire::Connection& connection, const wire::TaskRequest&) {
      read_body(connection);
      wire::TaskReply reply;
      *reply.mutable_refused() = wire::to_info(error);
      (void)wire::send_message(connection, reply, Deadline::after(std::chrono::seconds(20)));
      Bytes rest;
      (void)connection.receive(rest, Deadline::after(std::chrono::seconds(20)));
    };
  }
  static std::string read_body(wire::Connection& connection) {
    std::string body;
    Bytes segment;
    for (;;) {
      const auto kind = connection.receive(segment, Deadline::after(std::chrono::seconds(20)));
      if (!kind) return body;
      body += as_text(segment);
      if (*kind == wire::FrameKind::kLastSegment) return body;
    }
  }
  static void accept(wire::Connection& connection) {
    wire::TaskReply accepted;
    accepted.mutable_accepted();
    (void)wire::send_message(connection, accepted, Deadline::after(std::chrono::seconds(20)));
  }

private:
  std::mutex mutex_;
  std::vector<std::jthread> threads_; // guarded by mutex_
};

} // namespace tcfdl::courier::testing
