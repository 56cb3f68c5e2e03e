#include "wire/request_line.hpp"

#include "wire/listener.hpp"

#include <future>
#include <gmock/gmock.h>

namespace tcfdl::wire {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// A peer that answers each request with its name, in order, from when it is let.
class RequestLineTest : public testing::Test {
protected:
  void SetUp() override {
    listener_ = Listener::start(TcpAddress{"127.0.0.1", 0}, {.name = "late"}, [this](Connection& connection) {
                  while (const auto asked = receive_message<Hello>(connection, Deadline::after(seconds(20)))) {
                    if (asked->name() == "late") let_.get_future().wait();
                    if (!send_message(connection, *asked, Deadline::after(seconds(20)))) return;
                  }
                }).value();
    line_ = std::make_unique<RequestLine<Hello>>(connect(listener_->address(), Deadline::after(seconds(5))).value());
  }
  Result<Hello> ask(const std::string& name, Deadline deadline = Deadline::after(seconds(20))) {
    Hello hello;
    hello.set_name(name);
    return line_->exchange(hello, deadline);
  }

  std::promise<void> let_;
  std::unique_ptr<Listener> listener_;
  std::unique_ptr<RequestLine<Hello>> line_;
};

TEST_F(RequestLineTest, StaysInStepAfterARequestThatGotNoReplyInTime) {
  EXPECT_EQ(ask("first")->name(), "first");
  EXPECT_EQ(ask("late", Deadline::after(milliseconds(20))).error().code(), Code::kDeadlineExceeded);
  EXPECT_EQ(ask("abandoned", Deadline::after(milliseconds(20))).error().code(), Code::kDeadlineExceeded);
  let_.set_value();
  EXPECT_EQ(ask("after")->name(), "after");
  EXPECT_EQ(ask("and after")->name(), "and after");
}

TEST_F(RequestLineTest, WhoWaitsForATurnWaitsUntilItsDeadline) {
  auto first = std::async(std::launch::async, [&] { return ask("late"); });
  while (true) { // until the other has the turn
    const auto waited = ask("second", Deadline::after(milliseconds(20)));
    if (!waited) {
      EXPECT_EQ(waited.error().code(), Code::kDeadlineExceeded);
      break;
    }
  }
  let_.set_value();
  EXPECT_EQ(first.get()->name(), "late");
}

TEST_F(RequestLineTest, EndsWithItsConnection) {
  line_->shutdown();
  EXPECT_EQ(ask("x").error().code(), Code::kUnavailable);
}

} // namespace
} // namespace tcfdl::wire
