#include "inference/plan_model.hpp"

#include "inference/stage_runner.hpp"
#include "inference/tests/fixtures.hpp"
#include "inference/verify_model.hpp"

#include <gmock/gmock.h>
#include <numeric>

namespace tcfdl::inference {
namespace {

using testing::HasSubstr;
using tests::kModels;
using tests::open_store;

/// A store with one model, profiled at one shape.
class PlannedModel : public testing::Test {
protected:
  static constexpr MeasureSettings kMeasure{.runs = 1};

  PlannedModel() { tests::keep_no_freed_memory(); }

  void profile(const std::string& file, const InputSources& sources) {
    auto imported = store_.import(kModels / file, {"model", 0});
    ASSERT_TRUE(imported) << imported.error().message();
    record_ = *std::move(imported);
    auto inputs = make_inputs(record_.inputs, sources);
    ASSERT_TRUE(inputs) << inputs.error().message();
    inputs_ = *std::move(inputs);
    auto profiled = ProfiledModel::make(store_, record_, inputs_, nullptr, kMeasure);
    ASSERT_TRUE(profiled) << profiled.error().message();
    profiled_.emplace(*std::move(profiled));
    auto base = StageMeasurement(store_.runtime(), *profiled_, inputs_, kMeasure).measure_base();
    ASSERT_TRUE(base);
    base_ = *base;
  }

  /// With so much memory above that of a process without a model.
  Result<ModelPlan> plan(std::uint64_t above, std::size_t stages = 0, Objective objective = Objective::kThroughput) {
    const PlanModelSettings settings{.planner = {.nodes = {{.name = "enclave", .count = 16, .memory = base_ + above}},
                                                 .stages = stages,
                                                 .objective = objective},
                                     .measure = kMeasure};
    auto plan = plan_model(store_, record_, *profiled_, inputs_, settings, [](const std::string&) {});
    if (plan) TCFDL_TRY(store_.keep_plan(record_, *plan, profiled_->directory()));
    return plan;
  }

  TemporaryDirectory directory_;
  crypto::SigningKey key_ = crypto::SigningKey::generate();
  ModelStore store_ = open_store(directory_, key_);
  ModelRecord record_;
  InputTensors inputs_;
  std::optional<ProfiledModel> profiled_;
  std::uint64_t base_ = 0;
};

const InputSources kWidth160{.shapes = {{"x", {1, 3, 48, 160}}}};

TEST_F(PlannedModel, CountsWeightsThatLieInConstantNodes) {
  profile("ch_PP-OCRv4_rec_infer.onnx", kWidth160);
  std::uint64_t weights = 0;
  for (const auto& weight : profiled_->graph().weights) weights += weight.bytes;
  EXPECT_GT(weights, 9'000'000U) << "the file has 10.8 MB, nearly all of it weights in Constant nodes";
  EXPECT_GT(profiled_->graph().operators.size(), 100U);
  EXPECT_TRUE(std::ranges::any_of(profiled_->graph().operators, [](const auto& step) { return step.time_us > 0; }));
}

TEST_F(PlannedModel, CutsInStagesThatTogetherComputeTheSameBits) {
  profile("ch_PP-OCRv4_rec_infer.onnx", kWidth160);
  const auto planned = plan(std::uint64_t{1} << 30U, 3);
  ASSERT_TRUE(planned) << planned.error().message();
  ASSERT_EQ(planned->stages.size(), 3U);
  const auto verified = verify_model(store_, record_, *store_.plan(record_), inputs_);
  ASSERT_TRUE(verified) << verified.error().message();
  EXPECT_TRUE(verified->passed(kTolerance));
  ASSERT_EQ(verified->optimised.size(), 1U);
  EXPECT_TRUE(verified->optimised.front().equal);
  EXPECT_GT(verified->bytes, 0U);
}

TEST_F(PlannedModel, HasStagesWhoseMeasuredMemoryFits) {
  profile("ch_PP-OCRv4_rec_infer.onnx", kWidth160);
  const auto whole = plan(std::uint64_t{1} << 30U);
  ASSERT_TRUE(whole);
  ASSERT_EQ(whole->stages.size(), 1U);
  const auto above = (whole->stages.front().measured_memory - base_) * 7 / 10;
  const auto planned = plan(above);
  ASSERT_TRUE(planned) << planned.error().message();
  EXPECT_GE(planned->stages.size(), 2U);
  for (const auto& stage : planned->stages) {
    EXPECT_LE(stage.measured_memory, base_ + above);
    EXPECT_GT(stage.measured_memory, base_ / 2);
  }
  const auto verified = verify_model(store_, record_, *planned, inputs_);
  ASSERT_TRUE(verified) << "with no more memory than was measured: " << verified.error().message();
  EXPECT_TRUE(verified->passed(kTolerance));
}

TEST_F(PlannedModel, GivesTensorsStraightToLaterStages) {
  profile("mlsd_320x320_tiny.onnx", {});
  // For latency, where the bytes that cross decide: for throughput the measured times do, which differ.
  const auto planned = plan(std::uint64_t{1} << 30U, 4, Objective::kLatency);
  ASSERT_TRUE(planned) << planned.error().message();
  bool skips = false;
  for (std::size_t i = 0; i < planned->stages.size(); ++i) {
    for (const auto& input : planned->stages[i].inputs) skips |= input.from > 0 && input.from < i;
  }
  EXPECT_TRUE(skips) << "a U-Net has tensors that pass over stages";
  const auto verified = verify_model(store_, record_, *planned, inputs_);
  ASSERT_TRUE(verified) << verified.error().message();
  ASSERT_EQ(verified->optimised.size(), 2U);
  EXPECT_TRUE(std::ranges::all_of(verified->optimised, &OutputDifference::equal));
}

TEST_F(PlannedModel, IsRefusedWithTheOperatorThatNeedsTooMuch) {
  profile("mlsd_320x320_tiny.onnx", {});
  const auto planned = plan(2'000'000);
  ASSERT_FALSE(planned);
  EXPECT_EQ(planned.error().code(), Code::kResourceExhausted);
  EXPECT_THAT(planned.error().message(), HasSubstr("the operator '"));
}

TEST_F(PlannedModel, OfNestedGraphsIsPlannedWholeWithANote) {
  profile("silero_vad_v5.onnx", {.shapes = {{"input", {1, 576}}, {"state", {2, 1, 128}}}, .values = {{"sr", 16000}}});
  const auto planned = plan(std::uint64_t{1} << 30U);
  ASSERT_TRUE(planned) << planned.error().message();
  EXPECT_EQ(planned->stages.size(), 1U);
  EXPECT_THAT(planned->note, HasSubstr("(If), whose inner graphs are never cut"));
}

TEST_F(PlannedModel, IsNotVerifiedWithAnotherRuntimeOrInstructionSet) {
  profile("mlsd_320x320_tiny.onnx", {});
  auto planned = *plan(std::uint64_t{1} << 30U);
  planned.target.instruction_set = "x86_64+other";
  EXPECT_EQ(verify_model(store_, record_, planned, inputs_).error().code(), Code::kFailedPrecondition);
  planned = *store_.plan(record_);
  planned.target.runtime = "1.0.0";
  EXPECT_EQ(verify_model(store_, record_, planned, inputs_).error().code(), Code::kFailedPrecondition);
}

TEST_F(PlannedModel, FailsTheVerificationOfAnotherModelWithItsGreatestDifference) {
  profile(tests::save(directory_, "one.onnx", tests::small_model()), {});
  const auto planned = plan(std::uint64_t{1} << 30U);
  ASSERT_TRUE(planned) << planned.error().message();
  auto other = tests::small_model();
  other.mutable_graph()->mutable_initializer(0)->mutable_raw_data()->assign(16, '\x3e');
  const auto record = store_.import(tests::save(directory_, "other.onnx", other), {"other", 0});
  ASSERT_TRUE(record);
  const auto verified = verify_model(store_, *record, *planned, inputs_);
  ASSERT_TRUE(verified) << verified.error().message();
  EXPECT_FALSE(verified->passed(kTolerance));
  EXPECT_EQ(verified->optimised.front().tensor, "y");
  EXPECT_FALSE(verified->optimised.front().equal);
  EXPECT_GT(verified->optimised.front().greatest, 0.05);
}

TEST_F(PlannedModel, RunsItsStagesInOneBufferAndRefusesWrongTensors) {
  profile("mlsd_320x320_tiny.onnx", {});
  const auto planned = plan(std::uint64_t{1} << 30U, 2);
  ASSERT_TRUE(planned);
  const auto& stage = planned->stages.front();
  auto runner = StageRunner::load(*read_file(profiled_->directory() / stage.file.path), {});
  ASSERT_TRUE(runner) << runner.error().message();
  const auto made = runner->run(inputs_.views);
  ASSERT_TRUE(made) << made.error().message();
  EXPECT_EQ(made->tensors.size(), stage.outputs.size());
  EXPECT_FALSE(runner->run({}));
  auto wrong = inputs_.views;
  wrong.front().type = ElementType::kInt32;
  EXPECT_FALSE(runner->run(wrong));
}

TEST(StageRunner, RefusesWhatIsNoPackedModel) {
  EXPECT_FALSE(StageRunner::load(to_bytes("no model"), {}));
  EXPECT_FALSE(StageRunner::load(Bytes(1000), {}));
}

TEST(ComparedTensors, DifferByTheirGreatestMagnitude) {
  const std::array<float, 2> one{1, 100};
  const std::array<float, 2> two{1.5, 100};
  const auto view = [](const std::array<float, 2>& from) {
    return TensorView{.name = "t",
                      .type = ElementType::kFloat,
                      .shape = {2},
                      .data = {reinterpret_cast<const std::uint8_t*>(from.data()), sizeof(from)}};
  };
  EXPECT_TRUE(compare_tensors(view(one), view(one)).equal);
  const auto difference = compare_tensors(view(two), view(one));
  EXPECT_FALSE(difference.equal);
  EXPECT_EQ(difference.greatest, 0.5);
  EXPECT_EQ(difference.relative, 0.005);
  EXPECT_FALSE((Verification{.optimised = {difference}}).passed(kTolerance));
  EXPECT_FALSE((Verification{.original = {difference}}).passed(kTolerance));
}

TEST(Plan, IsReadAsItWasWrittenAndRefusedOutOfOrder) {
  ModelPlan plan{.name = "m", .version = 1, .model = "id", .target = {"1.29.0", "x86_64"}};
  StagePlan stage{.node = "enclave", .operators = 1};
  stage.file = {.path = "stage.ort", .sha256 = "00", .size = 1};
  stage.inputs.push_back({.info = {.name = "x", .type = ElementType::kFloat, .shape = {1}}, .bytes = 4, .from = 0});
  plan.stages.push_back(stage);
  plan.values = {{"x", 16000}};
  plan.reserve = 7;
  const auto text = to_json(plan).dump();
  const auto read = parse_model_plan(as_bytes(text));
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ(to_json(*read).dump(), text);
  plan.stages.front().inputs.front().from = 1;
  EXPECT_FALSE(parse_model_plan(as_bytes(to_json(plan).dump())));
}

} // namespace
} // namespace tcfdl::inference
