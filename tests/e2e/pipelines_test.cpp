// Models as pipelines of real instances: the whole's bits, loss of a stage, another plan under load.
#include "support/platform.hpp"

#include <atomic>
#include <csignal>
#include <future>
#include <gmock/gmock.h>
#include <thread>

namespace tcfdl::test {
namespace {

using testing::HasSubstr;

constexpr const char* kStage = "tcfdl-stage";

class Pipelines : public testing::Test {
protected:
  void SetUp() override {
    platform_.add_environment({{"ASAN_OPTIONS", "quarantine_size_mb=1"}}); // what the sanitizer holds back would count
    ASSERT_EQ(platform_.up(), "");
    const auto model = (platform_.root() / "net.onnx").string();
    ASSERT_EQ(platform_.tcfdl({"model", "synth", "mobilenet", "--scale", "2", "--out", model}).exit_code, 0);
    ASSERT_EQ(platform_.tcfdl({"model", "import", model, "--name", "net"}).exit_code, 0);
    plan("3");
  }
  /// Enclaves are so large that sanitizers fit in.
  void plan(const std::string& stages) {
    const auto planned = platform_.tcfdl({"model", "plan", "net", "--enclave-memory", "700MiB", "--reserve", "250MiB",
                                          "--stages", stages, "--runs", "1"});
    ASSERT_EQ(planned.exit_code, 0) << planned.err;
  }
  Json deploy(std::vector<std::string> more = {}) {
    std::vector<std::string> command{"model", "deploy", "net"};
    command.insert(command.end(), more.begin(), more.end());
    return platform_.json(command);
  }
  /// Whether what is deployed gives the same bits as the model in one piece.
  bool computes_the_same(const std::string& function = "net") {
    const auto verified = platform_.json({"model", "verify", "net", "--deployed", function});
    return verified.is_object() && verified["passed"] == true && verified["deployed"].size() == 1 &&
           verified["deployed"][0]["equal"] == true;
  }
  std::vector<std::string> functions() {
    std::vector<std::string> names;
    const auto list = platform_.json({"function", "list"});
    for (const auto& function : list.at("functions")) names.push_back(function.at("name"));
    return names;
  }

  Platform platform_;
};

/// Inferences one after the other until it is stopped.
class Inferences {
public:
  explicit Inferences(Platform& platform)
      : thread_([this, &platform] {
          while (!over_) {
            const auto finished = platform.tcfdl({"model", "infer", "net"});
            if (finished.exit_code == 0) ++done_;
            if (finished.exit_code != 0) errors_ += finished.err;
          }
        }) {}
  ~Inferences() { stop(); }
  void stop() {
    over_ = true;
    if (thread_.joinable()) thread_.join();
  }
  bool go_on() const {
    const auto until = done_ + 5;
    return eventually([&] { return done_ >= until; });
  }
  [[nodiscard]] const std::string& errors() const { return errors_; }

private:
  std::atomic<bool> over_ = false;
  std::atomic<unsigned> done_ = 0;
  std::string errors_; // of the thread, until it has ended
  std::thread thread_;
};

TEST_F(Pipelines, ComputeTheBitsOfTheWholeModel) {
  const auto deployed = deploy();
  ASSERT_TRUE(deployed.is_object());
  ASSERT_EQ(deployed["stages"].size(), 3U);
  EXPECT_EQ(deployed["stages"][0]["function"], "net");
  EXPECT_EQ(platform_.instances(kStage).size(), 3U) << "a stage is a process of its own";
  EXPECT_TRUE(computes_the_same());
  const auto inferred = platform_.json({"model", "infer", "net", "--out", (platform_.root() / "out").string()});
  ASSERT_TRUE(inferred.is_object());
  EXPECT_EQ(inferred["outputs"][0]["shape"], Json({1, 1000}));
  EXPECT_EQ(std::filesystem::file_size(inferred["outputs"][0]["file"].get<std::string>()), 128U + 4000U);
  EXPECT_EQ(platform_.tcfdl({"model", "undeploy", "net"}).exit_code, 0);
  EXPECT_THAT(functions(), testing::IsEmpty());
}

TEST_F(Pipelines, NameTheTensorThatIsWrong) {
  ASSERT_TRUE(deploy().is_object());
  const auto refused = platform_.invoke("net", "no tensors");
  EXPECT_THAT(refused.err, HasSubstr("INVALID_ARGUMENT: stage 1 of 3: this is no message with tensors"));
  const auto stranger = platform_.tcfdl({"model", "infer", "net", "--value", "stranger=1"});
  EXPECT_THAT(stranger.err, HasSubstr("stranger"));
  EXPECT_TRUE(computes_the_same());
}

TEST_F(Pipelines, AreOfPlansAloneThatPassTheirVerification) {
  const auto refused = platform_.tcfdl({"model", "deploy", "net", "--tolerance", "0"});
  EXPECT_THAT(refused.err, HasSubstr("FAILED_PRECONDITION: the stages of net do not compute"));
  EXPECT_THAT(functions(), testing::IsEmpty());
  const auto unplanned =
      platform_.tcfdl({"model", "import", (platform_.root() / "net.onnx").string(), "--name", "other"});
  ASSERT_EQ(unplanned.exit_code, 0);
  EXPECT_THAT(platform_.tcfdl({"model", "deploy", "other"}).err, HasSubstr("tcfdl model plan"));
}

TEST_F(Pipelines, AreKeptEncryptedWhereThatIsAskedFor) {
  ASSERT_TRUE(deploy({"--confidential"}).is_object());
  EXPECT_TRUE(computes_the_same());
  const auto list = platform_.json({"function", "list"});
  for (const auto& function : list.at("functions")) {
    EXPECT_EQ(function["confidential"].size(), 1U) << "the stage's weights: " << function;
  }
}

/// Skip connections, weights inside an inner graph with a state that its caller keeps, and shapes known when it runs.
TEST_F(Pipelines, AreOfRealModelsToo) {
  struct RealModel {
    std::string name;
    std::string file;
    std::vector<std::string> plan;
    std::vector<std::string> infer;
  };
  const std::vector<RealModel> models{
      {"lines", "mlsd_320x320_tiny.onnx", {"--stages", "4", "--objective", "latency"}, {}},
      {"voice",
       "silero_vad_v5.onnx",
       {"--shape", "input=1x576,state=2x1x128", "--value", "sr=16000"},
       {"--shape", "input=1x576,state=2x1x128", "--value", "sr=16000"}},
      {"text", "ch_PP-OCRv4_rec_infer.onnx", {"--stages", "2", "--shape", "x=1x3x48x160"}, {"--shape", "x=1x3x48x96"}}};
  for (const auto& model : models) {
    SCOPED_TRACE(model.name);
    const auto file = std::string(TCFDL_SOURCE_DIR) + "/build/deps/models/" + model.file;
    ASSERT_EQ(platform_.tcfdl({"model", "import", file, "--name", model.name}).exit_code, 0);
    std::vector<std::string> planning{"model", "plan", model.name, "--enclave-memory", "900MiB", "--reserve", "250MiB"};
    planning.insert(planning.end(), model.plan.begin(), model.plan.end());
    const auto planned = platform_.tcfdl(planning);
    ASSERT_EQ(planned.exit_code, 0) << planned.err;
    const auto deployed = platform_.tcfdl({"model", "deploy", model.name, "--tolerance", "0.1"});
    ASSERT_EQ(deployed.exit_code, 0) << deployed.err;
    const auto verified =
        platform_.json({"model", "verify", model.name, "--tolerance", "0.1", "--deployed", model.name});
    ASSERT_TRUE(verified.is_object());
    for (const auto& output : verified.at("deployed")) EXPECT_EQ(output.at("equal"), true) << output;
    std::vector<std::string> inferring{"model", "infer", model.name};
    inferring.insert(inferring.end(), model.infer.begin(), model.infer.end());
    const auto inferred = platform_.tcfdl(inferring);
    EXPECT_EQ(inferred.exit_code, 0) << inferred.err;
    EXPECT_EQ(platform_.tcfdl({"model", "undeploy", model.name}).exit_code, 0);
  }
}

TEST_F(Pipelines, GoOnWhenAnyStageIsKilledAndWhenThePlanChanges) {
  ASSERT_TRUE(deploy().is_object());
  Inferences inferences(platform_);
  for (int i = 0; i < 3; ++i) {
    const auto stages = platform_.instances(kStage);
    ASSERT_EQ(stages.size(), 3U);
    ::kill(stages[static_cast<std::size_t>(i)], SIGKILL);
    ASSERT_TRUE(eventually([&] {
      const auto now = platform_.instances(kStage);
      return now.size() == 3 && std::ranges::find(now, stages[static_cast<std::size_t>(i)]) == now.end();
    }));
    EXPECT_TRUE(inferences.go_on());
  }
  plan("2");
  const auto changed = deploy();
  ASSERT_TRUE(changed.is_object());
  EXPECT_TRUE(inferences.go_on());
  inferences.stop();
  EXPECT_EQ(inferences.errors(), "");
  EXPECT_EQ(functions().size(), 2U) << "the stages of the plan before are gone";
  EXPECT_TRUE(computes_the_same());
}

} // namespace
} // namespace tcfdl::test
