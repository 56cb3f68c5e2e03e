// Models on the command line: kept, cut into stages and verified; what is broken is refused.
#include "support/platform.hpp"

#include <csignal>
#include <fmt/format.h>
#include <gmock/gmock.h>

namespace tcfdl::test {
namespace {

using testing::HasSubstr;

constexpr std::uint64_t kMebibyte = std::uint64_t{1} << 20U;
constexpr std::uint64_t kPlenty = std::uint64_t{16} << 30U;

class Models : public testing::Test {
protected:
  void SetUp() override {
    ASSERT_EQ(tcfdl({"model", "synth", "mobilenet", "--scale", "2", "--out", file("net.onnx")}).exit_code, 0);
    const auto imported = tcfdl({"model", "import", file("net.onnx"), "--name", "net"});
    ASSERT_EQ(imported.exit_code, 0) << imported.err;
  }
  [[nodiscard]] std::string file(const std::string& name) const { return (root_.path() / name).string(); }
  /// A directory of the store.
  [[nodiscard]] std::filesystem::path store(const std::string& part) const {
    return root_.path() / "xdg" / "tcfdl" / "default" / "models" / part;
  }
  Finished tcfdl(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), Platform::binary("tcfdl"));
    return run(arguments, environment_);
  }
  [[nodiscard]] std::vector<std::string> plan_command(std::uint64_t memory) const {
    return {"model", "plan", "net", "--enclave-memory", fmt::format("{}MiB", memory / kMebibyte), "--json"};
  }
  /// Null where there is none.
  [[nodiscard]] Json plan(std::uint64_t memory) const {
    const auto planned = tcfdl(plan_command(memory));
    return planned.exit_code == 0 ? Json::parse(planned.out, nullptr, false) : Json();
  }
  /// What a stage without weights takes, which sanitizers multiply, and so much of what the model has in one piece.
  [[nodiscard]] std::uint64_t base_and(double share) const {
    const auto whole = plan(kPlenty);
    if (!whole.is_object()) return 0;
    const auto base = whole["base_memory"].get<std::uint64_t>();
    const auto above = whole["stages"][0]["measured_memory"].get<std::uint64_t>() - base;
    return base + static_cast<std::uint64_t>(share * static_cast<double>(above));
  }

  TemporaryDirectory root_;
  const Environment environment_{{"TCFDL_CONTEXT_DIR", file("contexts")},
                                 {"XDG_STATE_HOME", file("xdg")}, // what the sanitizer holds back would count
                                 {"ASAN_OPTIONS", "quarantine_size_mb=1"}};
};

TEST_F(Models, AreCutIntoStagesThatFitAndComputeTheSame) {
  const auto memory = base_and(0.7);
  const auto planned = plan(memory);
  ASSERT_TRUE(planned.is_object());
  ASSERT_GE(planned["stages"].size(), 2U) << planned;
  for (const auto& stage : planned["stages"]) EXPECT_LE(stage["measured_memory"].get<std::uint64_t>(), memory);
  const auto verified = tcfdl({"model", "verify", "net", "--json"});
  EXPECT_EQ(verified.exit_code, 0) << verified.out << verified.err;
  const auto verdict = Json::parse(verified.out, nullptr, false);
  for (const auto& output : verdict["optimised"]) EXPECT_TRUE(output["equal"]) << "bit for bit: " << output;
  EXPECT_EQ(tcfdl({"model", "verify", "net", "--tolerance", "0"}).exit_code, 1) << "optimisations round otherwise";
}

TEST_F(Models, ThatFitNowhereSayWhichOperatorNeedsWhat) {
  const auto refused = tcfdl(plan_command(base_and(0.05)));
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.err, HasSubstr("RESOURCE_EXHAUSTED"));
  EXPECT_THAT(refused.err, HasSubstr("the operator '"));
}

TEST_F(Models, ThatAreCutOffOrChangedOnDiskAreRefused) {
  const auto whole = read_file(file("net.onnx"), std::size_t{1} << 30U);
  ASSERT_TRUE(whole);
  ASSERT_TRUE(write_file(file("cut.onnx"), BytesView(*whole).first(whole->size() / 2)));
  const auto cut = tcfdl({"model", "import", file("cut.onnx"), "--name", "cut"});
  EXPECT_EQ(cut.exit_code, 1);
  EXPECT_THAT(cut.err, HasSubstr("no ONNX model, or a part of one"));
  for (const auto& entry : std::filesystem::directory_iterator(store("objects"))) {
    auto content = read_file(entry.path(), std::size_t{1} << 30U).value();
    content.at(content.size() / 2) ^= 1U;
    ASSERT_TRUE(write_file(entry.path(), content));
  }
  const auto planned = tcfdl(plan_command(kPlenty));
  EXPECT_EQ(planned.exit_code, 1);
  EXPECT_THAT(planned.err, HasSubstr("DATA_LOSS"));
}

TEST_F(Models, ArePlannedAnewAfterAPlannerWasKilled) {
  auto command = plan_command(kPlenty);
  command.insert(command.begin(), Platform::binary("tcfdl"));
  Background planner(command, environment_, file("planner.log"));
  const auto at_work = [&] {
    std::error_code ignored;
    return !std::filesystem::is_empty(store("work"), ignored) && !ignored;
  };
  EXPECT_TRUE(eventually(at_work));
  planner.signal(SIGKILL);
  planner.wait();
  EXPECT_TRUE(plan(kPlenty).is_object());
  EXPECT_EQ(tcfdl({"model", "verify", "net"}).exit_code, 0);
  EXPECT_EQ(tcfdl({"model", "remove", "net"}).exit_code, 0);
  EXPECT_EQ(Json::parse(tcfdl({"model", "list", "--json"}).out)["models"].size(), 0U);
}

} // namespace
} // namespace tcfdl::test
