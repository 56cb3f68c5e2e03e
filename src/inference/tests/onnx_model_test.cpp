#include "inference/onnx_model.hpp"

#include "inference/tests/fixtures.hpp"

#include <gmock/gmock.h>

namespace tcfdl::inference {
namespace {

using testing::HasSubstr;
using tests::add_node;
using tests::add_weight;
using tests::small_model;

Result<std::uint64_t> file_of_100_bytes(const std::string&) { return 100; }

std::string refusal(const onnx::ModelProto& model) {
  const auto checked = check_onnx(model, file_of_100_bytes);
  return checked ? "taken" : checked.error().message();
}

TEST(OnnxFile, IsParsedWholeAndRefusedCutOff) {
  const auto file = small_model().SerializeAsString();
  ASSERT_TRUE(parse_onnx(as_bytes(file)));
  for (std::size_t size = 0; size < file.size(); ++size) {
    const auto part = parse_onnx(as_bytes(file).first(size));
    EXPECT_TRUE(!part || refusal(*part) != "taken") << size;
  }
  EXPECT_FALSE(parse_onnx(as_bytes("root:x:0:0:root:/root:/bin/bash\n")));
}

TEST(OnnxModel, IsTakenWhenAllNamesAreProducedOnce) { EXPECT_EQ(refusal(small_model()), "taken"); }

TEST(OnnxModel, IsRefusedWithACycle) {
  auto model = small_model();
  model.mutable_graph()->mutable_node(0)->set_input(1, "y");
  EXPECT_THAT(refusal(model), HasSubstr("cycle"));
}

TEST(OnnxModel, IsRefusedWithANameThatNothingProduces) {
  auto model = small_model();
  model.mutable_graph()->mutable_node(0)->set_input(1, "nowhere");
  EXPECT_THAT(refusal(model), HasSubstr("reads 'nowhere', which nothing produces"));
  model = small_model();
  model.mutable_graph()->mutable_output(0)->set_name("nowhere");
  EXPECT_THAT(refusal(model), HasSubstr("output 'nowhere' is produced by no node"));
}

TEST(OnnxModel, IsRefusedWithTwoProducersOfOneTensor) {
  auto model = small_model();
  add_node(*model.mutable_graph(), "Neg", {"x"}, "sum");
  EXPECT_THAT(refusal(model), HasSubstr("produced elsewhere"));
  model = small_model();
  add_weight(*model.mutable_graph(), "w", 4);
  EXPECT_THAT(refusal(model), HasSubstr("there twice"));
  model = small_model();
  add_weight(*model.mutable_graph(), "sum", 4);
  EXPECT_THAT(refusal(model), HasSubstr("produced elsewhere"));
}

TEST(OnnxModel, IsRefusedWithAbsurdShapes) {
  auto model = small_model();
  model.mutable_graph()->mutable_initializer(0)->set_dims(0, -4);
  EXPECT_THAT(refusal(model), HasSubstr("dimension -4"));
  model = small_model();
  model.mutable_graph()->mutable_initializer(0)->set_dims(0, std::int64_t{1} << 62U);
  EXPECT_THAT(refusal(model), HasSubstr("elements"));
  model = small_model();
  model.mutable_graph()->mutable_initializer(0)->set_dims(0, 5);
  EXPECT_THAT(refusal(model), HasSubstr("16 bytes where its type and shape need 20"));
  model = small_model();
  tests::declare_float(*model.mutable_graph()->add_value_info(), "sum", {1LL << 40, 1LL << 40});
  EXPECT_THAT(refusal(model), HasSubstr("elements"));
}

onnx::ModelProto external_model(const std::string& location, const std::string& offset, const std::string& length) {
  auto model = small_model();
  auto& weight = *model.mutable_graph()->mutable_initializer(0);
  weight.clear_raw_data();
  weight.set_data_location(onnx::TensorProto::EXTERNAL);
  for (const auto& [key, value] : {std::pair{"location", location}, {"offset", offset}, {"length", length}}) {
    auto& entry = *weight.add_external_data();
    entry.set_key(key);
    entry.set_value(value);
  }
  return model;
}

TEST(OnnxModel, NamesTheFilesOfItsExternalData) {
  const auto checked = check_onnx(external_model("weights/w.bin", "84", "16"), file_of_100_bytes);
  ASSERT_TRUE(checked);
  EXPECT_THAT(*checked, testing::ElementsAre("weights/w.bin"));
}

TEST(OnnxModel, IsRefusedWithExternalDataOutsideTheDirectoryOrTheFile) {
  for (const auto* location : {"../w.bin", "/etc/passwd", "a/../../w", "", "a/"}) {
    EXPECT_THAT(refusal(external_model(location, "0", "16")), HasSubstr("outside the model's directory")) << location;
  }
  EXPECT_THAT(refusal(external_model("w.bin", "85", "16")), HasSubstr("ends at byte 101"));
  EXPECT_THAT(refusal(external_model("w.bin", "18446744073709551615", "16")), HasSubstr("which has 100"));
  EXPECT_THAT(refusal(external_model("w.bin", "0", "12")), HasSubstr("need 16"));
  EXPECT_THAT(refusal(external_model("w.bin", "-1", "16")), HasSubstr("number of bytes"));
}

TEST(OnnxModel, MayReadOuterNamesInInnerGraphsAndIsRefusedNestedTooDeep) {
  auto model = small_model();
  auto& graph = *model.mutable_graph();
  auto* inner = add_node(graph, "If", {"x"}, "z").add_attribute();
  inner->set_name("then_branch");
  add_node(*inner->mutable_g(), "Relu", {"sum"}, "inner");
  inner->mutable_g()->add_output()->set_name("inner");
  EXPECT_EQ(refusal(model), "taken");
  inner->mutable_g()->mutable_node(0)->set_input(0, "nowhere");
  EXPECT_THAT(refusal(model), HasSubstr("nowhere"));

  auto deep = small_model();
  auto* level = deep.mutable_graph();
  for (int i = 0; i < kMaxOnnxDepth + 1; ++i) {
    level = add_node(*level, "If", {"x"}, "deep" + std::to_string(i)).add_attribute()->mutable_g();
  }
  EXPECT_THAT(refusal(deep), HasSubstr("nested deeper"));
}

TEST(OnnxModel, WithACycleThroughAnInnerGraphIsRefused) {
  auto model = small_model();
  auto& graph = *model.mutable_graph();
  auto* inner = add_node(graph, "If", {"x"}, "z").add_attribute();
  add_node(*inner->mutable_g(), "Relu", {"late"}, "inner");
  add_node(graph, "Neg", {"z"}, "late");
  EXPECT_THAT(refusal(model), HasSubstr("cycle"));
}

} // namespace
} // namespace tcfdl::inference
