// Each process stopped under load, as by SIGSTOP: it keeps its connections and answers nothing. Calls end by their
// deadlines; what does not need it goes on; when it goes on itself, it finds its place again.
#include "chaos/chaos.hpp"

#include "http/client.hpp"

#include <algorithm>
#include <sdk/context.hpp>

namespace tcfdl::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr unsigned kCallers = 3;

class Stopped : public Chaos {
protected:
  /// Goes on at the end, whatever the test does.
  class Stop {
  public:
    explicit Stop(pid_t pid) : pid_(pid) { ::kill(pid_, SIGSTOP); }
    Stop(const Stop&) = delete;
    Stop& operator=(const Stop&) = delete;
    ~Stop() { ::kill(pid_, SIGCONT); }

  private:
    pid_t pid_;
  };

  LoadSettings load(const std::string& name) {
    return {.name = name, .callers = kCallers, .timeout = milliseconds(4000), .pause = milliseconds(40)};
  }
  void expect_no_violations(Load& load) {
    load.stop();
    EXPECT_EQ(load.violations(), "");
    RecordProperty("calls", load.summary());
  }
};

TEST_F(Stopped, AnInstanceCostsTheCallsItHasAndTheOthersTakeItsTasks) {
  auto settings = load("once");
  settings.timeout = seconds(15);
  Load once(calls_of(*client_, "once"), journal_, settings);
  ASSERT_TRUE(once.serves());
  for (unsigned round = 0; round < chaos_rounds(); ++round) {
    const auto pid = process_of(Part::kInstance);
    {
      const Stop stop(pid);
      EXPECT_TRUE(once.serves(60)) << "by the other instance";
    }
    EXPECT_TRUE(once.serves());
    EXPECT_TRUE(is_alive(pid));
  }
  expect_no_violations(once);
  EXPECT_LE(once.failures(), kCallers * chaos_rounds()) << once.summary();
}

TEST_F(Stopped, AWorkerIsLostAndFoundAgain) {
  Load once(calls_of(*client_, "once"), journal_, load("once"));
  Submissions submitted(*client_, "once", journal_, {.name = "once"});
  ASSERT_TRUE(once.serves());
  const auto pids = instances();
  for (unsigned round = 0; round < chaos_rounds(); ++round) {
    {
      const Stop stop(process_of(Part::kWorker));
      EXPECT_TRUE(eventually([&] { return instances().size() > pids.size(); }))
          << "others are started on the other node";
      EXPECT_TRUE(once.serves());
    }
    EXPECT_TRUE(eventually([&] { return instances().size() == pids.size(); }));
    EXPECT_TRUE(once.serves());
  }
  submitted.stop();
  expect_no_violations(once);
  EXPECT_EQ(submitted.violations(), "");
}

TEST_F(Stopped, ATeeProxyDoesNotHoldUpWhatNeedsNoKeys) {
  Load once(calls_of(*client_, "once"), journal_, load("once"));
  ASSERT_TRUE(once.serves());
  for (unsigned round = 0; round < chaos_rounds(); ++round) {
    const auto pid = process_of(Part::kProxy);
    {
      const Stop stop(pid);
      EXPECT_TRUE(once.serves(30)) << "with capsules that are known";
    }
    EXPECT_TRUE(once.serves());
    EXPECT_EQ(process_of(Part::kProxy), pid);
  }
  expect_no_violations(once);
}

TEST_F(Stopped, ABrokerDoesNotHoldUpDirectCalls) {
  Load once(calls_of(*client_, "once"), journal_, load("once"));
  ASSERT_TRUE(once.serves());
  const auto pids = instances();
  for (unsigned round = 0; round < chaos_rounds(); ++round) {
    {
      const Stop stop(process_of(Part::kBroker));
      EXPECT_TRUE(once.ends(2 * kCallers));
    }
    EXPECT_TRUE(once.serves());
  }
  EXPECT_TRUE(eventually([&] { return instances().size() == pids.size(); }));
  expect_no_violations(once);
}

TEST_F(Stopped, AMasterFindsNodesInstancesAndTasksAsTheyAre) {
  Load once(calls_of(*client_, "once"), journal_, load("once"));
  Submissions submitted(*client_, "once", journal_, {.name = "once"});
  ASSERT_TRUE(once.serves());
  const auto pids = instances();
  for (unsigned round = 0; round < chaos_rounds(); ++round) {
    {
      const Stop stop(process_of(Part::kMaster));
      EXPECT_TRUE(once.ends(2 * kCallers)) << "by their deadlines";
    }
    EXPECT_TRUE(once.serves());
    EXPECT_EQ(instances(), pids);
  }
  submitted.stop();
  expect_no_violations(once);
  EXPECT_EQ(submitted.violations(), "");
}

TEST_F(Stopped, AServiceManagerHoldsUpNewSendersOnlyAndNoProxyPaysForTheirHaste) {
  deploy("new", "scale: {min: 1, max: 1}\n");
  Load once(calls_of(*client_, "once"), journal_, load("once"));
  ASSERT_TRUE(once.serves());
  const auto entry = platform_.pids("tcfdl-proxy", (platform_.state() / "nodes" / "local-master").string());
  for (unsigned round = 0; round < chaos_rounds(); ++round) {
    const Stop stop(process_of(Part::kServiceManager));
    Load hasty(calls_of(*client_, "new"), journal_, {.name = "new", .callers = 2, .timeout = milliseconds(800)});
    EXPECT_TRUE(hasty.ends(4));
    EXPECT_TRUE(once.serves());
    expect_no_violations(hasty);
  }
  EXPECT_TRUE(eventually([&] {
    return calls_of(*client_, "new")(journal_.body(milliseconds(1), "late"), seconds(5)).value_or("") == "late";
  }));
  EXPECT_EQ(platform_.pids("tcfdl-proxy", (platform_.state() / "nodes" / "local-master").string()), entry);
  expect_no_violations(once);
}

TEST_F(Stopped, AGatewayEndsItsCallersWaitsAndServesOn) {
  const auto context = sdk::load_context("local").value();
  const auto url = http::parse_url(context.gateway_url).value();
  http::Client gateway({.host = url.host, .port = url.port, .token = context.gateway_token});
  const auto post = [&](const std::string& body, milliseconds timeout) -> Result<std::string> {
    http::Request request;
    request.method = "POST";
    request.target = "/v1/functions/once/invoke";
    request.body = to_bytes(body);
    TCFDL_ASSIGN(const auto answer, gateway.call(std::move(request), Deadline::after(timeout)));
    return std::string(as_text(answer.body));
  };
  Load once(post, journal_, load("http"));
  ASSERT_TRUE(once.serves());
  for (unsigned round = 0; round < chaos_rounds(); ++round) {
    {
      const Stop stop(process_of(Part::kGateway));
      EXPECT_TRUE(once.ends(kCallers));
    }
    EXPECT_TRUE(once.serves());
    const auto before = signal(Part::kGateway, SIGKILL);
    EXPECT_TRUE(eventually([&] { return is_replaced(Part::kGateway, before); }));
    EXPECT_TRUE(once.serves());
  }
  once.stop();
  RecordProperty("calls", once.summary());
}

} // namespace
} // namespace tcfdl::test
