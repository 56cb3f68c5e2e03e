// Tasks under hop-by-hop protection, as the last proxy brings them to an instance.
#include "sdk/task_server.hpp"

#include "sdk/tests/instance_world.hpp"
#include "wire/proto/hop.pb.h"

#include <gmock/gmock.h>

namespace tcfdl::sdk {
namespace {

using testing::HasSubstr;

class TaskServerPath : public InstanceWorld {
protected:
  TaskServerPath() { settings_.protections.emplace_back("hse"); }
  ~TaskServerPath() override { hang_up(); }

  static wire::HopRoute route_of(const Identity& caller) {
    wire::HopRoute route;
    route.set_function("echo");
    route.set_assurance("software");
    route.set_cluster("west");
    route.set_instance("echo-1");
    route.set_caller(caller.name);
    route.set_caller_key(wire::field(caller.signing.public_key().bytes()));
    route.add_proxies("far-proxy");
    route.add_proxies("proxy-a");
    return route;
  }

  /// The node's proxy at the instance's door.
  Status open_path(const wire::HopRoute& route) {
    hang_up();
    pipe_ = std::make_unique<wire::Pipe>();
    server_thread_ = std::jthread([this, carrier = pipe_->right.get()] {
      server_->serve(*carrier, Reach::kClosed);
      carrier->shutdown();
    });
    const auto deadline = Deadline::after(seconds(10));
    const auto authority = authority_.public_key();
    TCFDL_ASSIGN(auto hop, wire::open_hop(*pipe_->left, {proxy_key_, proxy_certificate_, authority},
                                          {wire::ROLE_CLIENT}, now_seconds(), deadline));
    TCFDL_ASSIGN(const auto proxies, wire::extend_path(*hop, route, deadline));
    EXPECT_EQ(proxies.size(), 2U);
    instance_end_.hello = {};
    instance_end_.proven = false;
    TCFDL_ASSIGN(instance_end_.hello, wire::receive_message<wire::Hello>(*hop, deadline));
    instance_end_.connection = std::move(hop);
    return {};
  }
  void hang_up() {
    if (pipe_) pipe_->left->shutdown();
    server_thread_ = {};
  }
  Call hse_call(const Identity& caller) {
    auto call = call_of(caller, nullptr);
    call.header.set_protection("hse");
    return call;
  }
  Result<std::string> run(Call& call) { return run(call, call.header.task_id()); }
  Result<std::string> run(Call& call, const std::string& task_of_records) {
    static_cast<wire::HopChannel&>(*instance_end_.connection).begin_task(wire::hop_task(task_of_records).value());
    wire::LeaseGrant grant;
    *grant.mutable_lease() = wire::sign(*call.master, call.lease);
    *grant.mutable_master_certificate() = call.master_certificate;
    grant.set_instance(settings_.instance);
    WholeBody body(call.body);
    WholeResult result;
    TCFDL_TRY(exchange_task(instance_end_, {*call.caller, grant, call.header, nullptr, 1, call.deadline}, body, result,
                            call.output));
    return result.text;
  }
  Code refused(Call& call) {
    const auto result = run(call);
    EXPECT_FALSE(result);
    EXPECT_EQ(ran_, 0);
    return result ? Code::kUnknown : result.error().code();
  }

  std::unique_ptr<wire::Pipe> pipe_;
  InstanceConnection instance_end_;
  std::jthread server_thread_;
};

TEST_F(TaskServerPath, RunsTasksThatComeThroughItsProxy) {
  start_echo();
  const auto opened = open_path(route_of(anna_));
  ASSERT_TRUE(opened) << opened.error().to_string();
  for (const std::size_t size : {5U, 300'000U}) {
    auto call = hse_call(anna_);
    call.body = Bytes(size, 'x');
    const auto result = run(call);
    ASSERT_TRUE(result) << result.error().to_string();
    EXPECT_EQ(result->size(), size);
  }
}

TEST_F(TaskServerPath, GivesAReceiptAfterEachResultThatNamesTheProxiesAsClaimed) {
  const auto owner = crypto::SigningKey::generate();
  wire::Descriptor descriptor;
  descriptor.set_name("echo");
  descriptor.set_version(1);
  descriptor.set_owner_key(wire::field(owner.public_key().bytes()));
  descriptor.set_measurement(std::string(32, 'm'));
  descriptor.add_tee_kinds("software");
  descriptor.add_assurance("software");
  descriptor.add_providers("*");
  descriptor.add_protections("hse");
  settings_.descriptor = wire::sign(owner, descriptor);
  start_echo();
  ASSERT_TRUE(open_path(route_of(anna_)));
  instance_.certificate = wire::HeldCertificate(
      instance_certificate()); // after the path, whose other side asks for the role of a client here
  for (const std::size_t size : {5U, 300'000U}) {
    auto call = hse_call(anna_);
    call.header.set_receipt(true);
    call.body = Bytes(size, 'x');
    const auto result = run(call);
    ASSERT_TRUE(result) << result.error().to_string();
    const auto verdict = wire::verify_receipt(
        call.output.receipt,
        {.authority = authority_.public_key(), .now = now_seconds(), .input = call.body, .output = as_bytes(*result)});
    ASSERT_TRUE(verdict.accepted()) << verdict.outcome().error().to_string();
    EXPECT_EQ(verdict.unverified_statement().protection(), "hse");
    EXPECT_EQ(verdict.unverified_statement().claimed_route().proxies(1), "proxy-a");
  }
}

TEST_F(TaskServerPath, GivesErrorsOfHandlersBackSealed) {
  start(Handler([](TaskContext&, BytesView) -> Result<Bytes> { return Error(Code::kInvalidArgument, "no plate"); }));
  ASSERT_TRUE(open_path(route_of(anna_)));
  auto call = hse_call(anna_);
  const auto result = run(call);
  EXPECT_EQ(result.error().code(), Code::kInvalidArgument);
  EXPECT_THAT(result.error().message(), HasSubstr("no plate"));
}

TEST_F(TaskServerPath, RefusesWhatItsOwnerDoesNotAdmit) {
  settings_.protections = {"eae"};
  start_echo();
  ASSERT_TRUE(open_path(route_of(anna_)));
  auto call = hse_call(anna_);
  EXPECT_EQ(refused(call), Code::kPermissionDenied);
}

TEST_F(TaskServerPath, RefusesATaskWithoutAPathAndOneOnTheWrongPath) {
  start_echo();
  Session session(*server_);
  auto call = hse_call(anna_);
  EXPECT_EQ(refusal(session, call).code(), Code::kPermissionDenied) << "hse without a path";
  ASSERT_TRUE(open_path(route_of(anna_)));
  auto plain = call_of(anna_, nullptr);
  EXPECT_EQ(refused(plain), Code::kPermissionDenied) << "none over a path";
}

TEST_F(TaskServerPath, RefusesATaskOfAnotherCallerThanThePaths) {
  start_echo();
  ASSERT_TRUE(open_path(route_of(anna_)));
  auto call = hse_call(bert_);
  EXPECT_EQ(refused(call), Code::kPermissionDenied);
  ASSERT_TRUE(open_path(route_of(anna_)));
  auto keyed = hse_call(bert_);
  keyed.header.set_sender("anna");
  EXPECT_EQ(refused(keyed), Code::kPermissionDenied) << "her name with his key";
  ASSERT_TRUE(open_path(route_of(anna_)));
  auto named = hse_call(anna_);
  named.header.set_sender("bert");
  EXPECT_EQ(refused(named), Code::kPermissionDenied) << "the name is the proxy's to say";
}

TEST_F(TaskServerPath, RefusesATaskInRecordsOfAnotherTask) {
  start_echo();
  ASSERT_TRUE(open_path(route_of(anna_)));
  auto call = hse_call(anna_);
  EXPECT_EQ(run(call, make_uuid()).error().code(), Code::kUnauthenticated);
  EXPECT_EQ(ran_, 0);
}

TEST_F(TaskServerPath, TakesPathsOfItsOwnProxyToItselfOnly) {
  start_echo();
  const auto code_of = [&](auto bend) {
    auto route = route_of(anna_);
    bend(route);
    const auto opened = open_path(route);
    return opened ? Code::kUnknown : opened.error().code();
  };
  EXPECT_EQ(code_of([](auto& r) { r.set_instance("echo-2"); }), Code::kPermissionDenied);
  EXPECT_EQ(code_of([](auto& r) { r.set_function("other"); }), Code::kPermissionDenied);
  EXPECT_EQ(code_of([](auto& r) { r.set_assurance("hardware"); }), Code::kPermissionDenied);
  EXPECT_EQ(code_of([](auto& r) { r.clear_proxies(); }), Code::kPermissionDenied);
  EXPECT_EQ(code_of([](auto& r) { r.add_proxies("elsewhere/proxy"); }), Code::kPermissionDenied);
}

TEST_F(TaskServerPath, TakesNoPathOfACaller) {
  start_echo();
  proxy_certificate_ = anna_.certificate.get(); // of role client
  const auto opened = open_path(route_of(anna_));
  ASSERT_FALSE(opened);
  EXPECT_THAT(opened.error().message(), HasSubstr("anna is no subject for this"));
}

TEST_F(TaskServerPath, TakesItsOwnClassAndNoOther) {
  start_echo();
  auto better = wire::parse<wire::Certificate>(proxy_certificate_.statement()).value();
  better.set_assurance("hardware");
  proxy_certificate_ = wire::sign(authority_, better);
  EXPECT_TRUE(open_path(route_of(anna_))) << "a better proxy serves";
  auto route = route_of(anna_);
  route.set_assurance("hardware");
  EXPECT_FALSE(open_path(route)) << "this instance processes software";
}

} // namespace
} // namespace tcfdl::sdk
