#include "inference/pipeline_stage.hpp"

#include "http/json.hpp"
#include "inference/deployment.hpp"
#include "inference/plan_model.hpp"
#include "inference/tests/fixtures.hpp"
#include "inference/verify_model.hpp"

#include <gmock/gmock.h>

namespace tcfdl::inference {
namespace {

using testing::HasSubstr;

/// A model in four stages whose tensors pass over stages, as bundles side by side.
class Pipeline : public testing::Test {
protected:
  void SetUp() override {
    tests::keep_no_freed_memory();
    auto record = store_.import(tests::kModels / "mlsd_320x320_tiny.onnx", {"model", 0});
    ASSERT_TRUE(record);
    record_ = *std::move(record);
    auto inputs = make_inputs(record_.inputs, {});
    ASSERT_TRUE(inputs);
    inputs_ = *std::move(inputs);
    const MeasureSettings measure{.runs = 1};
    const auto profiled = ProfiledModel::make(store_, record_, inputs_, nullptr, measure);
    ASSERT_TRUE(profiled);
    const PlanModelSettings settings{
        .planner = {.nodes = {{.name = "enclave", .count = 4, .memory = std::uint64_t{1} << 30U}},
                    .stages = 4,
                    .objective = Objective::kLatency},
        .measure = measure,
        .reserve = std::uint64_t{64} << 20U};
    auto plan = plan_model(store_, record_, *profiled, inputs_, settings, [](const std::string&) {});
    ASSERT_TRUE(plan) << plan.error().message();
    plan_ = *std::move(plan);
    ASSERT_TRUE(store_.keep_plan(record_, plan_, profiled->directory()));
    functions_ = stage_functions(record_, plan_, "lines");
    for (const auto& function : functions_) bundle(function);
  }

  [[nodiscard]] std::filesystem::path directory_of(const StageFunction& function) const {
    return directory_.path() / std::to_string(function.description.stage);
  }
  void bundle(const StageFunction& function) {
    std::filesystem::create_directory(directory_of(function));
    ASSERT_TRUE(store_.put_out({function.file}, directory_of(function)));
    write(function);
  }
  void write(const StageFunction& function) {
    const auto text = http::dump_json(to_json(function.description));
    ASSERT_TRUE(write_file(directory_of(function) / kStageFile, as_bytes(text)));
  }
  void load() {
    for (const auto& function : functions_) {
      auto stage = PipelineStage::load(directory_of(function));
      ASSERT_TRUE(stage) << stage.error().message();
      stages_[function.name] = *std::move(stage);
    }
  }
  /// As a cluster would: by the functions' names.
  Result<Bytes> call(const std::string& function, BytesView message) {
    calls_.push_back(function);
    return stages_.at(function)->run(message, [this](const auto& next, BytesView more) { return call(next, more); });
  }

  /// Whether the only stage of a plan gets ready.
  bool loads(const ModelRecord& record, const ModelPlan& plan) {
    auto function = stage_functions(record, plan, "whole").front();
    std::filesystem::remove_all(directory_of(function));
    bundle(function);
    return PipelineStage::load(directory_of(function)).has_value();
  }

  TemporaryDirectory directory_;
  crypto::SigningKey key_ = crypto::SigningKey::generate();
  ModelStore store_ = tests::open_store(directory_, key_);
  ModelRecord record_;
  InputTensors inputs_;
  ModelPlan plan_;
  std::vector<StageFunction> functions_;
  std::map<std::string, std::unique_ptr<PipelineStage>> stages_;
  std::vector<std::string> calls_;
};

TEST_F(Pipeline, ComputesTheWholesBitsFromStageToStage) {
  load();
  const auto result = call("lines", write_tensors(inputs_.views));
  ASSERT_TRUE(result) << result.error().message();
  EXPECT_EQ(calls_.size(), 4U);
  const auto outputs = parse_tensors(*result);
  ASSERT_TRUE(outputs);
  const auto verification = verify_model(store_, record_, plan_, inputs_);
  ASSERT_TRUE(verification) << verification.error().message();
  ASSERT_EQ(outputs->size(), record_.outputs.size());
  for (std::size_t i = 0; i < outputs->size(); ++i) {
    EXPECT_EQ((*outputs)[i].name, record_.outputs[i].name) << "in the model's order";
    const auto whole = std::ranges::find(verification->whole.views, (*outputs)[i].name, &TensorView::name);
    ASSERT_NE(whole, verification->whole.views.end());
    EXPECT_TRUE(compare_tensors((*outputs)[i], *whole).equal);
  }
}

TEST_F(Pipeline, NamesTheTensorThatIsWrongAndLivesOn) {
  load();
  const auto refusal = [&](const std::vector<TensorView>& tensors) {
    const auto result = call("lines", write_tensors(tensors));
    return result ? std::string() : result.error().to_string();
  };
  EXPECT_THAT(refusal({}), HasSubstr("INVALID_ARGUMENT: stage 1 of 4: input '" + record_.inputs.front().name));
  auto wrong = inputs_.views;
  wrong.push_back(wrong.front());
  wrong.back().name = "stranger";
  EXPECT_THAT(refusal(wrong), HasSubstr("no input 'stranger'"));
  wrong.back().name = wrong.front().name;
  EXPECT_THAT(refusal(wrong), HasSubstr("twice"));
  EXPECT_FALSE(call("lines", as_bytes("no tensors")));
  EXPECT_TRUE(call("lines", write_tensors(inputs_.views)));
}

TEST_F(Pipeline, TellsWhatALaterStageRefused) {
  load();
  const auto refused = stages_.at("lines")->run(write_tensors(inputs_.views), [](const std::string&, BytesView) {
    return Result<Bytes>(Error(Code::kUnavailable, "gone"));
  });
  EXPECT_EQ(refused.error().code(), Code::kUnavailable);
  const auto incomplete = stages_.at("lines")->run(
      write_tensors(inputs_.views), [](const std::string&, BytesView) { return Result<Bytes>(write_tensors({})); });
  EXPECT_EQ(incomplete.error().code(), Code::kInternal) << "a result without all outputs is none";
}

TEST_F(Pipeline, RefusesBundlesForOtherMachinesAndBrokenOnes) {
  const auto refusal = [&](const StageFunction& function) {
    write(function);
    const auto stage = PipelineStage::load(directory_of(function));
    return stage ? std::string() : stage.error().to_string();
  };
  auto function = functions_[1];
  function.description.target.instruction_set += "+other";
  EXPECT_THAT(refusal(function), HasSubstr("FAILED_PRECONDITION"));
  function = functions_[1];
  function.description.target.runtime = "1.0.0";
  EXPECT_THAT(refusal(function), HasSubstr("ONNX Runtime 1.0.0"));
  function = functions_[1];
  function.description.arena_limit = 65536;
  EXPECT_THAT(refusal(function), HasSubstr("RESOURCE_EXHAUSTED: a run at the largest shapes"));
  function = functions_[1];
  function.description.next.clear();
  EXPECT_THAT(refusal(function), HasSubstr("'next'"));
  function = functions_[1];
  function.description.file = "none.ort";
  EXPECT_THAT(refusal(function), HasSubstr("NOT_FOUND"));
  EXPECT_EQ(refusal(functions_[1]), "");
}

TEST_F(Pipeline, HasAsManyTasksAsItsReserveHolds) {
  EXPECT_EQ(functions_.front().concurrency, 5U) << "the one that computes, three behind, one that comes";
  EXPECT_EQ(functions_.back().concurrency, 2U);
  EXPECT_GE(functions_.front().largest_body, write_tensors(inputs_.views).size());
  auto tight = plan_;
  tight.reserve = 0;
  EXPECT_EQ(stage_functions(record_, tight, "lines").front().concurrency, 1U);
  for (const auto& function : functions_) {
    EXPECT_EQ(is_later_stage(function.name, "lines"), function.description.stage > 1) << function.name;
    EXPECT_FALSE(is_later_stage(function.name, "line"));
  }
  EXPECT_NE(stage_functions(record_, tight, "lines").back().name, functions_.back().name)
      << "another plan's stages stand beside these";
}

TEST(StageDescription, IsReadAsItWasWritten) {
  const TensorInfo rate{.name = "sr", .type = ElementType::kInt64, .shape = {1}};
  const StageDescription stage{
      .model = {.name = "voice", .version = 3, .stages = 2, .inputs = {rate}, .outputs = {rate}},
      .stage = 1,
      .target = {"1.29.0", "x86_64"},
      .file = "stage.ort",
      .warm_up = {rate},
      .values = {{"sr", 16000}},
      .next = "voice/0123456789ab/2",
      .forwarded = {"state"}};
  const auto text = to_json(stage).dump();
  const auto read = parse_stage_description(as_bytes(text));
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ(to_json(*read).dump(), text);
  const auto model = parse_model_description(as_bytes(to_json(stage.model).dump()));
  ASSERT_TRUE(model) << model.error().message();
  EXPECT_EQ(model->inputs.front().shape, rate.shape);
  EXPECT_FALSE(parse_model_description(as_bytes(text)));
}

TEST_F(Pipeline, WarmsUpWithTheValuesOfItsPlan) {
  auto speech = store_.import(tests::kModels / "silero_vad_v5.onnx", {"speech", 0});
  ASSERT_TRUE(speech);
  const InputSources sources{.shapes = {{"input", {1, 576}}, {"state", {2, 1, 128}}}, .values = {{"sr", 16000}}};
  const auto inputs = make_inputs(speech->inputs, sources);
  ASSERT_TRUE(inputs);
  const auto profiled = ProfiledModel::make(store_, *speech, *inputs, nullptr, {.runs = 1});
  ASSERT_TRUE(profiled);
  const PlanModelSettings settings{.planner = {.nodes = {{.name = "enclave", .memory = std::uint64_t{1} << 30U}}},
                                   .measure = {.runs = 1}};
  auto plan = plan_model(store_, *speech, *profiled, *inputs, settings, [](const std::string&) {});
  ASSERT_TRUE(plan) << plan.error().message();
  ASSERT_TRUE(store_.keep_plan(*speech, *plan, profiled->directory()));
  EXPECT_FALSE(loads(*speech, *plan)) << "a sampling rate of 0 or 1 is none";
  plan->values = sources.values;
  EXPECT_TRUE(loads(*speech, *plan));
}

} // namespace
} // namespace tcfdl::inference
