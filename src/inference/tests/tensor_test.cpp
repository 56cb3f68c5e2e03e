#include "inference/tensor.hpp"

#include "inference/model_inputs.hpp"

#include <gtest/gtest.h>

namespace tcfdl::inference {
namespace {

const Bytes kElements{1, 2, 3, 4, 5, 6, 7, 8};

std::vector<TensorView> two_tensors() {
  return {{.name = "a", .type = ElementType::kFloat, .shape = {1, 2}, .data = kElements},
          {.name = "b/ä", .type = ElementType::kInt64, .shape = {}, .data = kElements}};
}

TEST(Tensors, AreReadAsTheyWereWritten) {
  const auto message = write_tensors(two_tensors());
  const auto read = parse_tensors(message);
  ASSERT_TRUE(read);
  ASSERT_EQ(read->size(), 2U);
  EXPECT_EQ(read->at(0).name, "a");
  EXPECT_EQ(read->at(0).shape, (std::vector<std::int64_t>{1, 2}));
  EXPECT_EQ(read->at(1).type, ElementType::kInt64);
  EXPECT_EQ(Bytes(read->at(1).data.begin(), read->at(1).data.end()), kElements);
  EXPECT_EQ(write_tensors(*read), message);
}

TEST(Tensors, AreRefusedCutOffAtAnyByteAndWithBytesAfterThem) {
  auto message = write_tensors(two_tensors());
  for (std::size_t size = 0; size < message.size(); ++size) {
    EXPECT_FALSE(parse_tensors(BytesView(message).first(size))) << size;
  }
  message.push_back(0);
  EXPECT_FALSE(parse_tensors(message));
}

TEST(Tensors, OfAbsurdShapesAreRefused) {
  EXPECT_FALSE(tensor_bytes(ElementType::kFloat, std::vector<std::int64_t>{-1, 4}));
  EXPECT_FALSE(tensor_bytes(ElementType::kFloat, std::vector<std::int64_t>{1LL << 40, 1LL << 40}));
  EXPECT_FALSE(tensor_bytes(ElementType::kString, std::vector<std::int64_t>{1}));
  EXPECT_EQ(tensor_bytes(ElementType::kFloat, std::vector<std::int64_t>{1LL << 62, 0}), 0U);
}

TEST(Shapes, AreReadStrictly) {
  EXPECT_EQ(parse_shape("1x3x48"), (std::vector<std::int64_t>{1, 3, 48}));
  EXPECT_EQ(parse_shape("scalar"), std::vector<std::int64_t>{});
  for (const auto* wrong : {"", "x", "1x", "1,2", "-1x2", "1x99999999999", "1X2"})
    EXPECT_FALSE(parse_shape(wrong)) << wrong;
}

TEST(Inputs, AreSelectedByNameAndCheckedAgainstTheModel) {
  const std::vector<TensorInfo> wanted{{.name = "a", .type = ElementType::kFloat, .shape = {-1, 2}}};
  EXPECT_TRUE(select_inputs(wanted, two_tensors()));
  EXPECT_FALSE(select_inputs(std::vector<TensorInfo>{{.name = "c", .type = ElementType::kFloat}}, two_tensors()));
  EXPECT_FALSE(select_inputs(std::vector<TensorInfo>{{.name = "a", .type = ElementType::kInt64}}, two_tensors()));
  EXPECT_FALSE(select_inputs(std::vector<TensorInfo>{{.name = "a", .type = ElementType::kFloat, .shape = {1, 3}}},
                             two_tensors()));
}

Bytes npy(const std::string& header, const Bytes& elements) {
  Bytes file = to_bytes(std::string("\x93NUMPY\x01\x00", 8));
  file.push_back(static_cast<std::uint8_t>(header.size()));
  file.push_back(0);
  file.insert(file.end(), header.begin(), header.end());
  file.insert(file.end(), elements.begin(), elements.end());
  return file;
}

TEST(NumPyArrays, AreReadInCOrderAndRefusedOtherwise) {
  const auto good = npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }\n", kElements);
  const auto view = parse_npy(good);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->type, ElementType::kFloat);
  EXPECT_EQ(view->shape, (std::vector<std::int64_t>{1, 2}));
  EXPECT_TRUE(parse_npy(npy("{'descr': '<i8', 'fortran_order': False, 'shape': (1,), }\n", kElements)));
  EXPECT_FALSE(parse_npy(npy("{'descr': '<f4', 'fortran_order': True, 'shape': (1, 2), }\n", kElements)));
  EXPECT_FALSE(parse_npy(npy("{'descr': '>f4', 'fortran_order': False, 'shape': (1, 2), }\n", kElements)));
  EXPECT_FALSE(parse_npy(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 3), }\n", kElements)));
  for (std::size_t size = 0; size < good.size(); ++size) EXPECT_FALSE(parse_npy(BytesView(good).first(size))) << size;
}

TEST(Inputs, AreTheSameForTheSameSeedAndAskForUnknownShapes) {
  const std::vector<TensorInfo> inputs{{.name = "x", .type = ElementType::kFloat, .shape = {-1, 3}}};
  const auto one = make_inputs(inputs, {});
  const auto two = make_inputs(inputs, {});
  ASSERT_TRUE(one && two);
  EXPECT_EQ(one->owned, two->owned);
  EXPECT_NE(one->owned, make_inputs(inputs, {.shapes = {}, .seed = 2})->owned);
  const std::vector<TensorInfo> unknown{{.name = "x", .type = ElementType::kFloat, .shape = {1, -1}}};
  EXPECT_FALSE(make_inputs(unknown, {}));
  EXPECT_TRUE(make_inputs(unknown, {.shapes = {{"x", {1, 7}}}}));
  EXPECT_FALSE(make_inputs(inputs, {.shapes = {{"z", {1, 7}}}}));
}

} // namespace
} // namespace tcfdl::inference
