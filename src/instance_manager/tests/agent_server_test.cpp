#include "instance_manager/agent_server.hpp"

#include "base/file.hpp"
#include "instance_manager/tests/fakes.hpp"
#include "wire/socket.hpp"

#include <array>
#include <sys/socket.h>
#include <thread>

namespace tcfdl::instance_manager::testing {
namespace {

class AgentServerTest : public ::testing::Test {
protected:
  AgentServerTest() {
    std::array<int, 2> ends{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
    served_ = std::make_unique<wire::SocketConnection>(UniqueFd(ends[0]));
    instance_ = std::make_unique<wire::SocketConnection>(UniqueFd(ends[1]));
    wire::StartInstance order;
    order.set_instance("a-00000001");
    *order.mutable_descriptor() = make_descriptor("a");
    EXPECT_TRUE(instances_.start_instance(order));
    instances_.run_due();
    executor_.run_all();
    instances_.run_due();
    server_thread_ = std::thread([this] { server_.serve(*served_); });
  }
  ~AgentServerTest() override {
    instance_->shutdown();
    if (server_thread_.joinable()) server_thread_.join();
  }
  void say_ready(const std::string& token) {
    wire::InstanceReport report;
    report.mutable_ready()->set_token(token);
    report.mutable_ready()->add_addresses("unix:/socket");
    ASSERT_TRUE(wire::send_message(*instance_, report, soon()));
  }
  void await(wire::InstanceState state) {
    while (instances_.status().at(0).state() != state) {
      instances_.run_due();
      std::this_thread::yield();
    }
  }
  static Deadline soon() { return Deadline::after(std::chrono::seconds(30)); }

  TemporaryDirectory directory_;
  ManualTime time_;
  FakeExecutor executor_;
  FakeProxy proxy_;
  FakeBundles bundles_;
  FakeReporter reporter_;
  NodeInstances instances_{{.log_directory = directory_.path()}, proxy_, bundles_, reporter_, executor_, time_};
  AgentServer server_{instances_};
  std::unique_ptr<wire::SocketConnection> served_;
  std::unique_ptr<wire::SocketConnection> instance_;
  std::thread server_thread_;
};

TEST_F(AgentServerTest, AdmitsAnInstanceByItsTokenAndPassesItsTasksOn) {
  say_ready(proxy_.token());
  await(wire::INSTANCE_STATE_READY);
  wire::InstanceReport report;
  report.mutable_task()->set_lease_id("lease");
  report.mutable_task()->set_done(true);
  ASSERT_TRUE(wire::send_message(*instance_, report, soon()));
  instance_->shutdown();
  server_thread_.join();
  ASSERT_EQ(reporter_.tasks.size(), 1U);
  EXPECT_EQ(reporter_.tasks[0].lease_id(), "lease");
  EXPECT_EQ(reporter_.tasks[0].instance(), "a-00000001");
}

TEST_F(AgentServerTest, TellsOfALostConnection) {
  say_ready(proxy_.token());
  await(wire::INSTANCE_STATE_READY);
  instance_->shutdown();
  await(wire::INSTANCE_STATE_BACKING_OFF);
}

TEST_F(AgentServerTest, SendsTheOrderToDrain) {
  say_ready(proxy_.token());
  await(wire::INSTANCE_STATE_READY);
  wire::StopInstance stop;
  stop.set_instance("a-00000001");
  stop.set_drain_ms(700);
  instances_.stop_instance(stop);
  instances_.run_due();
  executor_.run_all();
  const auto command = wire::receive_message<wire::InstanceCommand>(*instance_, soon());
  ASSERT_TRUE(command) << command.error().to_string();
  EXPECT_EQ(command->drain().within_ms(), 700U);
}

TEST_F(AgentServerTest, EndsAConnectionWithAWrongToken) {
  say_ready("wrong");
  server_thread_.join();
  EXPECT_EQ(instances_.status().at(0).state(), wire::INSTANCE_STATE_STARTING);
}

TEST_F(AgentServerTest, EndsAConnectionThatBeginsWithATask) {
  wire::InstanceReport report;
  report.mutable_task()->set_lease_id("lease");
  ASSERT_TRUE(wire::send_message(*instance_, report, soon()));
  server_thread_.join();
  EXPECT_TRUE(reporter_.tasks.empty());
}

} // namespace
} // namespace tcfdl::instance_manager::testing
