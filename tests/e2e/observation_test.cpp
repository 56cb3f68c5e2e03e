// What operators see from outside: metrics, logs and traces of real daemons.
#include "support/collector.hpp"
#include "support/platform.hpp"

#include "base/ids.hpp"

#include <fstream>
#include <gmock/gmock.h>
#include <sdk/context.hpp>
#include <sstream>
#include <tcfdl/client.hpp>
#include <thread>

namespace tcfdl::test {
namespace {

using testing::HasSubstr;

/// Figures by name and labels, as a scrape has them.
using Scrape = std::map<std::string, double>;

/// Nothing where the text is not what Prometheus reads.
std::optional<Scrape> parse_scrape(const std::string& text) {
  Scrape scrape;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("# HELP ") || line.starts_with("# TYPE ")) continue;
    const auto space = line.rfind(' ');
    if (space == std::string::npos || scrape.contains(line.substr(0, space))) return std::nullopt;
    scrape[line.substr(0, space)] = std::stod(line.substr(space + 1));
  }
  return scrape;
}

std::string get(const std::string& url, const std::string& token) {
  return run({"curl", "-sS", "-f", "-H", "Authorization: Bearer " + token, url}).out;
}

double value(const Scrape& scrape, const std::string& name) {
  const auto found = scrape.find(name);
  return found == scrape.end() ? -1 : found->second;
}

class Metrics : public testing::Test {
protected:
  void SetUp() override {
    ASSERT_EQ(platform_.up(), "");
    ASSERT_EQ(platform_.deploy("slow", "examples-slow", "concurrency: 4\n").exit_code, 0);
    client_ = Client::connect("local").value();
    const auto ready = platform_.ready("local-master");
    url_ = ready["api_url"].get<std::string>() + "/metrics";
    token_ = ready["api_token"];
  }
  /// A task with a lease of its own.
  Result<CallResult> call(const std::string& function, const std::string& body) {
    CallOptions options;
    options.task_id = make_uuid();
    return client_->call(function, as_bytes(body), options);
  }
  [[nodiscard]] std::optional<Scrape> scrape() const { return parse_scrape(get(url_, token_)); }

  Platform platform_{"clusters:\n  - name: local\n    workers: [worker-1]\nmetrics: true\n"};
  std::unique_ptr<Client> client_;
  std::string url_;
  std::string token_;
};

TEST_F(Metrics, CountWhatWasCalledWhileTheyAreScraped) {
  constexpr int kCallers = 4;
  constexpr int kEach = 10;
  std::atomic<bool> calling = true;
  int unreadable = 0;
  double before = 0;
  bool sank = false;
  std::jthread scraper([&] {
    while (calling) {
      const auto now = scrape();
      unreadable += now ? 0 : 1;
      const auto done = now ? std::max(0.0, value(*now, R"(tcfdl_tasks_done_total{function="slow",code="OK"})")) : 0;
      sank = sank || done < before;
      before = done;
    }
  });
  {
    std::vector<std::jthread> callers;
    for (int i = 0; i < kCallers; ++i) {
      callers.emplace_back([&] {
        for (int j = 0; j < kEach; ++j) EXPECT_TRUE(call("slow", "echo 12345678"));
      });
    }
  }
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(call("slow", "fail NOT_FOUND page"));
  EXPECT_FALSE(call("nobody/knows", "x"));
  const auto ended = [&] {
    const auto now = scrape();
    return now && value(*now, R"(tcfdl_tasks_done_total{function="slow",code="OK"})") == kCallers * kEach &&
           value(*now, R"(tcfdl_tasks_done_total{function="slow",code="NOT_FOUND"})") == 3;
  };
  EXPECT_TRUE(eventually(ended)) << get(url_, token_);
  calling = false;
  scraper.join();
  EXPECT_EQ(unreadable, 0);
  EXPECT_FALSE(sank);
  const auto now = scrape().value_or(Scrape());
  constexpr double kAll = kCallers * kEach + 3;
  EXPECT_EQ(value(now, R"(tcfdl_task_wait_seconds_count{function="slow"})"), kAll);
  EXPECT_EQ(value(now, R"(tcfdl_task_wait_seconds_bucket{function="slow",le="+Inf"})"), kAll);
  EXPECT_EQ(value(now, R"(tcfdl_task_run_seconds_count{function="slow"})"), kAll);
  EXPECT_EQ(value(now, R"(tcfdl_task_bytes_total{function="slow",way="local",part="body"})"),
            kCallers * kEach * 13 + 3 * 19);
  EXPECT_EQ(value(now, R"(tcfdl_task_bytes_total{function="slow",way="local",part="result"})"),
            kCallers * kEach * 8 + 3 * 4);
  EXPECT_EQ(value(now, R"(tcfdl_tasks_refused_total{function="",code="NOT_FOUND"})"), 1);
  EXPECT_EQ(value(now, R"(tcfdl_tasks_waiting{function="slow"})"), 0);
  EXPECT_EQ(value(now, R"(tcfdl_tasks_in_flight{function="slow"})"), 0);
  EXPECT_EQ(value(now, R"(tcfdl_instances{function="slow",state="ready"})"), 1);
  EXPECT_GE(value(now, R"(tcfdl_reencryptions_total{step="to_function"})"), 1);
  EXPECT_GT(value(now, "process_resident_memory_bytes"), 0);
}

TEST_F(Metrics, AreServedByEachDaemonToWhoHasItsToken) {
  ASSERT_TRUE(call("slow", "echo x"));
  const auto worker = platform_.ready("worker-1");
  const auto of_worker = parse_scrape(get(worker["metrics_url"], worker["metrics_token"])).value_or(Scrape());
  EXPECT_EQ(value(of_worker, R"(tcfdl_node_instances{function="slow",state="ready"})"), 1);
  EXPECT_EQ(value(of_worker, R"(tcfdl_reencryptions_total{step="to_instance"})"), 1);
  const auto file = read_text_file(platform_.state() / "nodes" / "worker-1" / "metrics_token");
  EXPECT_EQ(file.value_or(""), worker["metrics_token"].get<std::string>());
  EXPECT_EQ(get(worker["metrics_url"], "wrong"), "");

  const auto authority = platform_.ready("service-manager");
  const auto of_authority = parse_scrape(get(authority["metrics_url"], authority["metrics_token"])).value_or(Scrape());
  EXPECT_GE(value(of_authority, R"(tcfdl_service_requests_total{kind="enrolment",code="OK"})"), 2);

  const auto master = platform_.ready("local-master");
  const std::string gateway = master["gateway_url"];
  const std::string token = master["gateway_token"];
  const auto posted = run({"curl", "-sS", "-f", "-H", "Authorization: Bearer " + token, "--data-binary", "echo hi",
                           gateway + "/v1/functions/slow/invoke"});
  ASSERT_EQ(posted.out, "hi") << posted.err;
  const auto of_gateway = parse_scrape(get(gateway + "/metrics", token)).value_or(Scrape());
  EXPECT_EQ(value(of_gateway, R"(tcfdl_http_requests_total{server="gateway",method="POST",status="200"})"), 1);
  EXPECT_EQ(value(of_gateway, R"(tcfdl_http_request_bytes_total{server="gateway"})"), 7);
  EXPECT_EQ(value(of_gateway, R"(tcfdl_http_response_bytes_total{server="gateway"})"), 2);
}

/// The files of a platform's state that processes of the project write lines to.
std::vector<std::filesystem::path> log_files(const Platform& platform) {
  std::vector<std::filesystem::path> found;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(platform.state())) {
    const auto name = entry.path().filename().string();
    if (entry.path().extension() == ".log" && name != "supervisor.log" && name != "nats-server.log")
      found.push_back(entry);
  }
  return found;
}

TEST(Logs, AreObjectsThatNameTheTaskAndItsTraceAndHoldNoData) {
  constexpr const char* kTrace = "4bf92f3577b34da6a3ce929d0e0e4736";
  Platform platform("clusters:\n  - name: local\n    workers: [worker-1]\nlog_format: json\nlog_level: debug\n");
  ASSERT_EQ(platform.up(), "");
  ASSERT_EQ(platform.deploy("slow", "examples-slow").exit_code, 0);
  const auto called = platform.invoke("slow", "fail INTERNAL word-of-the-caller",
                                      {"--traceparent", fmt::format("00-{}-00f067aa0ba902b7-01", kTrace)});
  ASSERT_EQ(called.exit_code, 1);
  std::set<std::string> components;
  std::set<std::string> about_the_trace;
  const auto read_all = [&] {
    for (const auto& file : log_files(platform)) {
      std::ifstream lines(file);
      for (std::string text; std::getline(lines, text);) {
        EXPECT_EQ(text.find("word-of-the-caller"), std::string::npos) << file;
        const auto line = Json::parse(text, nullptr, false);
        if (!line.is_object() || !line.contains("time") || !line.contains("level") || !line.contains("message")) {
          ADD_FAILURE() << file << ": " << text;
          continue;
        }
        components.insert(line.at("component"));
        if (line.value("trace", "") != kTrace) continue;
        EXPECT_EQ(line.value("function", ""), "slow") << text;
        EXPECT_TRUE(is_uuid(line.value("task", ""))) << text;
        about_the_trace.insert(line.at("component"));
      }
    }
    return about_the_trace.contains("instance");
  };
  EXPECT_TRUE(eventually(read_all));
  EXPECT_THAT(about_the_trace, testing::UnorderedElementsAre("master", "instance"));
  EXPECT_THAT(components,
              testing::UnorderedElementsAre("service-manager", "master", "worker", "proxy", "instance", "gateway"));
}

class Traces : public testing::Test {
protected:
  static constexpr const char* kTrace = "4bf92f3577b34da6a3ce929d0e0e4736";
  static constexpr const char* kCaller = "00f067aa0ba902b7";

  void SetUp() override {
    ASSERT_EQ(platform_.up(), "");
    ASSERT_EQ(platform_.deploy("outer", "examples-slow", "labels: {place: one}\n").exit_code, 0);
    ASSERT_EQ(platform_.deploy("inner", "examples-slow", "labels: {place: two}\n").exit_code, 0);
  }
  Invoked call(const char* flags) {
    return platform_.invoke("outer", "call inner echo hello",
                            {"--traceparent", fmt::format("00-{}-{}-{}", kTrace, kCaller, flags)});
  }
  [[nodiscard]] const CollectedSpan* find(const std::string& name, const std::string& parent) const {
    for (const auto& span : spans_) {
      if (span.name == name && span.parent == parent) return &span;
    }
    return nullptr;
  }
  /// The id of the span of that name and parent; a failure of the test where there is none.
  std::string id(const std::string& name, const std::string& parent, const std::string& service) const {
    const auto* span = find(name, parent);
    EXPECT_NE(span, nullptr) << name << " within " << parent;
    if (span == nullptr) return "missing " + name;
    EXPECT_EQ(span->service, service) << name;
    EXPECT_LE(span->start_ns, span->end_ns);
    return span->id;
  }
  /// Whether so many spans come, but for those of relays, which depend on what the sandbox lets instances reach.
  bool arrive(std::size_t least) {
    return eventually([&] {
      spans_ = collector_.spans(kTrace);
      std::erase_if(spans_, [](const auto& span) { return span.name == "open relay"; });
      return spans_.size() >= least;
    });
  }

  Collector collector_;
  Platform platform_{fmt::format("clusters:\n"
                                 "  - name: local\n"
                                 "    workers: [worker-1, worker-2]\n"
                                 "    nodes:\n"
                                 "      - {{name: worker-1, labels: {{place: one}}}}\n"
                                 "      - {{name: worker-2, labels: {{place: two}}}}\n"
                                 "tracing: {{endpoint: \"{}\"}}\n",
                                 collector_.endpoint())};
  std::vector<CollectedSpan> spans_;
};

TEST_F(Traces, OfANestedCallOverTwoNodesAreOneTree) {
  const auto called = call("01");
  ASSERT_EQ(called.exit_code, 0) << called.err;
  EXPECT_EQ(called.out, "hello");
  EXPECT_EQ(called.summary["trace_id"], kTrace);
  constexpr std::size_t kSpans = 11;
  ASSERT_TRUE(arrive(kSpans)) << spans_.size();
  // The caller exports none, so its call is not among them: what it asks for is its own span's.
  id("queue", kCaller, "tcfdl-master");
  id("re-encrypt to function", kCaller, "tcfdl-proxy");
  const auto outer = id("outer", kCaller, "tcfdl-instance");
  id("re-encrypt to instance", outer, "tcfdl-proxy");
  const auto nested = id("call inner", outer, "tcfdl-instance");
  const auto lease = id("lease", nested, "tcfdl-instance");
  id("queue", lease, "tcfdl-master");
  const auto transfer = id("transfer", nested, "tcfdl-instance");
  id("re-encrypt to function", transfer, "tcfdl-proxy");
  const auto inner = id("inner", transfer, "tcfdl-instance");
  id("re-encrypt to instance", inner, "tcfdl-proxy");
  EXPECT_EQ(spans_.size(), kSpans);
  EXPECT_EQ(collector_.malformed(), 0);
  ASSERT_NE(find("inner", transfer), nullptr);
  EXPECT_NE(find("inner", transfer)->of, find("outer", kCaller)->of);
}

TEST_F(Traces, ThatNobodyWantsAreNotRecorded) {
  ASSERT_EQ(call("00").exit_code, 0);
  const auto wanted =
      platform_.invoke("inner", "echo x", {"--traceparent", "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01"});
  ASSERT_EQ(wanted.exit_code, 0) << wanted.err;
  EXPECT_TRUE(eventually([&] { return collector_.spans("0af7651916cd43dd8448eb211c80319c").size() >= 3; }));
  EXPECT_TRUE(collector_.spans(kTrace).empty());
}

TEST_F(Traces, OfACallOverHttpBeginAtTheGateway) {
  const auto master = platform_.ready("local-master");
  const auto posted =
      run({"curl", "-sS", "-f", "-H", "Authorization: Bearer " + master["gateway_token"].get<std::string>(), "-H",
           fmt::format("traceparent: 00-{}-{}-01", kTrace, kCaller), "--data-binary", "echo hi",
           master["gateway_url"].get<std::string>() + "/v1/functions/inner/invoke"});
  ASSERT_EQ(posted.out, "hi") << posted.err;
  constexpr std::size_t kSpans = 8;
  ASSERT_TRUE(arrive(kSpans)) << spans_.size();
  const auto request = id("POST /v1/functions/{name}/invoke", kCaller, "tcfdl-gateway");
  const auto made = id("call inner", request, "tcfdl-gateway");
  id("queue", id("lease", made, "tcfdl-gateway"), "tcfdl-master");
  id("inner", id("transfer", made, "tcfdl-gateway"), "tcfdl-instance");
}

TEST(TracesWithoutACollector, CostNoCall) {
  Platform platform("clusters:\n  - name: local\n    workers: [worker-1]\nmetrics: true\n"
                    "tracing: {endpoint: \"http://127.0.0.1:9\"}\n");
  ASSERT_EQ(platform.up(), "");
  ASSERT_EQ(platform.deploy("slow", "examples-slow").exit_code, 0);
  for (int i = 0; i < 3; ++i) {
    const auto called = platform.invoke("slow", "echo hello",
                                        {"--traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"});
    EXPECT_EQ(called.out, "hello") << called.err;
  }
  const auto worker = platform.ready("worker-1");
  EXPECT_TRUE(eventually([&] {
    const auto scrape = parse_scrape(get(worker["metrics_url"], worker["metrics_token"]));
    return scrape && value(*scrape, R"(tcfdl_spans_total{outcome="dropped"})") >= 3;
  }));
}

} // namespace
} // namespace tcfdl::test
