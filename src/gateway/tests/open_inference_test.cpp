#include "gateway/open_inference.hpp"

#include "gateway/tensor_json.hpp"
#include "gateway/tests/models.hpp"
#include "http/json.hpp"

#include <gmock/gmock.h>

namespace tcfdl::gateway {
namespace {

using nlohmann::json;
using testing::HasSubstr;

constexpr const char* kPicture =
    R"({"name":"picture","shape":[1,2,3],"datatype":"FP32","data":[[[1,2.5,-3],[4,5e-1,6]]]})";
constexpr const char* kWords =
    R"({"name":"words","shape":[2,2],"datatype":"INT64","data":[1,-2,3,9223372036854775807]})";

std::string request_of(const std::string& inputs, const std::string& more = {}) {
  return R"({"inputs":[)" + inputs + R"(],"outputs":[{"name":"scores"}])" + more + "}";
}

/// Why a request is refused; empty for one that is not.
std::string refusal(const std::string& body, std::string_view json_length = {},
                    const inference::ModelDescription& model = net()) {
  const auto read = read_infer_request(model, as_bytes(body), json_length);
  if (read) return "";
  EXPECT_EQ(read.error().code(), Code::kInvalidArgument);
  return read.error().message();
}

/// A model with one input, 'x', of any shape of that rank.
inference::ModelDescription one_input(ElementType type, std::size_t rank = 1) {
  return {.name = "one",
          .version = 1,
          .inputs = {{.name = "x", .type = type, .shape = std::vector<std::int64_t>(rank, -1)}},
          .outputs = {{.name = "x", .type = type, .shape = std::vector<std::int64_t>(rank, -1)}}};
}

std::string one_request(ElementType type, const std::string& shape, const std::string& data) {
  return fmt::format(
      R"({{"inputs":[{{"name":"x","shape":{},"datatype":"{}","data":{}}}],"outputs":[{{"name":"x","parameters":{{"binary_data":true}}}}]}})",
      shape, datatype_of(type), data);
}

/// What is wrong with such data in a vector.
std::string data_refusal(ElementType type, int length, const std::string& data) {
  return refusal(one_request(type, "[" + std::to_string(length) + "]", data), {}, one_input(type));
}

Bytes data_of(ElementType type, int length, const std::string& data) {
  const auto body = one_request(type, "[" + std::to_string(length) + "]", data);
  const auto read = read_infer_request(one_input(type), as_bytes(body), {});
  EXPECT_TRUE(read) << read.error().message();
  return read ? read->owned.at(0) : Bytes();
}

TEST(InferRequest, HasTensorsFromNestedAndFlatJson) {
  const auto body = request_of(std::string(kPicture) + "," + kWords, R"(,"id":"a 1")");
  const auto read = read_infer_request(net(), as_bytes(body), {});
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ(read->id, "a 1");
  ASSERT_EQ(read->inputs.size(), 2U);
  EXPECT_EQ(read->inputs[0].name, "picture");
  EXPECT_EQ(read->inputs[0].shape, (std::vector<std::int64_t>{1, 2, 3}));
  EXPECT_THAT(read->inputs[0].data, testing::ElementsAreArray(elements(1.F, 2.5F, -3.F, 4.F, 0.5F, 6.F)));
  const auto words = elements(std::int64_t{1}, std::int64_t{-2}, std::int64_t{3}, INT64_MAX);
  EXPECT_THAT(read->inputs[1].data, testing::ElementsAreArray(words));
  ASSERT_EQ(read->outputs.size(), 1U);
  EXPECT_EQ(read->outputs[0].name, "scores");
  EXPECT_FALSE(read->outputs[0].binary);
}

TEST(InferRequest, DoesNotDependOnTheOrderOfKeys) {
  const auto body =
      request_of(std::string(kWords) + R"(,{"data":[1,2,3,4,5,6],"datatype":"FP32","shape":[1,2,3],"name":"picture"})");
  const auto read = read_infer_request(net(), as_bytes(body), {});
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_THAT(read->inputs[1].data, testing::ElementsAreArray(elements(1.F, 2.F, 3.F, 4.F, 5.F, 6.F)));
}

TEST(InferRequest, HasTensorsFromBinaryData) {
  const auto text =
      request_of(R"({"name":"picture","shape":[1,2,3],"datatype":"FP32","parameters":{"binary_data_size":24}},)" +
                     std::string(kWords),
                 R"(,"parameters":{"binary_data_output":true})");
  auto body = to_bytes(text);
  const auto picture = elements(1.F, 2.F, 3.F, 4.F, 5.F, 6.F);
  body.insert(body.end(), picture.begin(), picture.end());
  const auto read = read_infer_request(net(), body, std::to_string(text.size()));
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_THAT(read->inputs[0].data, testing::ElementsAreArray(picture));
  EXPECT_TRUE(read->outputs[0].binary);
  body.push_back(0);
  EXPECT_EQ(refusal(std::string(as_text(body)), std::to_string(text.size())),
            "1 bytes follow the binary data of the inputs");
  body.resize(body.size() - 2);
  EXPECT_EQ(refusal(std::string(as_text(body)), std::to_string(text.size())),
            "input 'picture': has 24 bytes of binary data, 23 are left in the body");
}

TEST(InferRequest, AsksForAllOutputsWithoutNamingOne) {
  const auto body =
      R"({"inputs":[)" + std::string(kPicture) + "," + kWords + R"(],"parameters":{"binary_data_output":true}})";
  const auto read = read_infer_request(net(), as_bytes(body), {});
  ASSERT_TRUE(read) << read.error().message();
  ASSERT_EQ(read->outputs.size(), 2U);
  EXPECT_EQ(read->outputs[1].name, "half");
  EXPECT_TRUE(read->outputs[1].binary);
  EXPECT_EQ(read->id, std::nullopt);
}

TEST(InferRequest, IsRefusedWithTheTensorAndWhatTheModelWants) {
  const auto picture = [](const std::string& shape, const std::string& type, const std::string& data) {
    return refusal(request_of(
        fmt::format(R"({{"name":"picture","shape":{},"datatype":"{}","data":{}}},{})", shape, type, data, kWords)));
  };
  EXPECT_EQ(picture("[1,2]", "FP32", "[1,2]"), "input 'picture' has the shape 1x2, the model wants 1x2x3");
  EXPECT_EQ(picture("[1,2,3]", "INT8", "[1,2,3,4,5,6]"), "input 'picture' is INT8, the model wants FP32");
  EXPECT_EQ(picture("[1,2,3]", "BYTES", R"(["a"])"),
            "input 'picture' has the datatype BYTES, texts, which is not served");
  EXPECT_THAT(picture("[1,2,3]", "FLOAT", "[1]"),
              HasSubstr("input 'picture' has the datatype 'FLOAT', known are BOOL, UINT8"));
  EXPECT_EQ(picture("[1,2,3]", "FP32", "[1,2,3,4,5]"), "input 'picture': 'data' has 5 elements, the shape 1x2x3 has 6");
  EXPECT_EQ(picture("[1,2,3]", "FP32", "[[[1,2],[3,4],[5,6]]]"),
            "input 'picture': 'data' is nested as 1x3x2, the shape is 1x2x3");
  EXPECT_THAT(picture("[1,2,-3]", "FP32", "[]"), HasSubstr("request.inputs[0]: 'shape'"));
  EXPECT_THAT(picture("[1,2,3]", "FP32", "7"), HasSubstr("request.inputs[0]: 'data' is no list"));
  EXPECT_EQ(refusal(request_of(kPicture)), "input 'words' is missing");
  EXPECT_EQ(refusal(request_of(std::string(kWords) + "," + kWords)), "input 'words' is there twice");
  EXPECT_EQ(refusal(request_of(R"({"name":"z","shape":[1],"datatype":"FP32","data":[1]})")),
            "the model net-of-the-owner has no input 'z'; it has picture, words");
  EXPECT_EQ(refusal(request_of(R"({"name":"words","shape":[0,2],"datatype":"INT64"})")),
            "input 'words': has neither 'data' nor 'binary_data_size'");
  EXPECT_EQ(
      refusal(request_of(
          R"({"name":"words","shape":[1,2],"datatype":"INT64","data":[1,2],"parameters":{"binary_data_size":16}})")),
      "input 'words': has both 'data' and 'binary_data_size'");
  EXPECT_EQ(
      refusal(request_of(R"({"name":"words","shape":[1,2],"datatype":"INT64","parameters":{"binary_data_size":8}})")),
      "input 'words': has 8 bytes of binary data, INT64 of the shape 1x2 has 16");
}

TEST(InferRequest, IsRefusedForOutputsThatItCannotHave) {
  const auto asking = [](const std::string& outputs) {
    return refusal(R"({"inputs":[)" + std::string(kPicture) + "," + kWords + R"(],"outputs":[)" + outputs + "]}");
  };
  EXPECT_EQ(asking(R"({"name":"y"})"), "the model net-of-the-owner has no output 'y'; it has scores, half");
  EXPECT_EQ(asking(R"({"name":"scores"},{"name":"scores"})"), "output 'scores' is asked for twice");
  EXPECT_EQ(asking(R"({"name":"half"})"),
            "output 'half' is FP16, which goes as binary data alone: ask for binary_data");
  EXPECT_EQ(asking(R"({"name":"half","parameters":{"binary_data":true}})"), "");
  EXPECT_THAT(asking(R"({"name":"scores","parameters":{"classification":3}})"),
              HasSubstr("unknown key 'classification'"));
  EXPECT_THAT(asking(R"({"name":"scores","data":[1]})"), HasSubstr("unknown key 'data'"));
}

TEST(InferRequest, IsRefusedWithALengthOfItsJsonThatIsNone) {
  const auto body = request_of(std::string(kPicture) + "," + kWords);
  for (const auto* length : {"-1", "+5", "x", "5x", "1e3", "99999999999999999999999", "100000"}) {
    EXPECT_THAT(refusal(body, length), HasSubstr("Inference-Header-Content-Length")) << length;
  }
  EXPECT_THAT(refusal(body, "5"), HasSubstr("no valid JSON"));
  EXPECT_THAT(refusal(body, "0"), HasSubstr("no valid JSON"));
  EXPECT_EQ(refusal(body, std::to_string(body.size())), "");
}

TEST(InferRequest, IsRefusedForJsonThatIsHostile) {
  EXPECT_THAT(refusal(std::string(100'000, '[')), HasSubstr("deeper"));
  EXPECT_THAT(refusal(request_of(R"({"name":"picture","data":)" + std::string(1000, '['))), HasSubstr("deeper"));
  EXPECT_THAT(refusal(R"({"id":"a","id":"b"})"), HasSubstr("twice"));
  EXPECT_THAT(refusal("[]"), HasSubstr("no JSON object"));
  EXPECT_THAT(refusal(R"({"inputs":{"a":{"data":[1]}}})"), HasSubstr("'inputs' is no list"));
  EXPECT_THAT(refusal(R"({"id":7,"inputs":[]})"), HasSubstr("'id'"));
  std::string many = R"({"inputs":[{})";
  for (int i = 0; i < 100'000; ++i) many += ",{}";
  EXPECT_THAT(refusal(many + "]}"), HasSubstr("more than 100000 values"));
  EXPECT_THAT(refusal(one_request(ElementType::kDouble, "[4294967296,4294967296]", "[1]"), {},
                      one_input(ElementType::kDouble, 2)),
              HasSubstr("input 'x'"));
  EXPECT_THAT(refusal(one_request(ElementType::kDouble, "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]", "[1]"), {},
                      one_input(ElementType::kDouble, 0)),
              HasSubstr("input 'x' has 17 dimensions"));
  EXPECT_THAT(data_refusal(ElementType::kDouble, 1, "[NaN]"), HasSubstr("no valid JSON"));
  EXPECT_THAT(data_refusal(ElementType::kDouble, 1, "[1e999]"), HasSubstr("no valid JSON"));
}

TEST(InferRequest, KeepsTheRangeOfEachType) {
  EXPECT_EQ(data_refusal(ElementType::kUint8, 2, "[255,256]"), "input 'x': element 1 is 256, which is no UINT8");
  EXPECT_EQ(data_refusal(ElementType::kUint8, 1, "[-1]"), "input 'x': element 0 is -1, which is no UINT8");
  EXPECT_EQ(data_refusal(ElementType::kInt32, 1, "[1.0]"), "input 'x': element 0 is 1.0, which is no INT32");
  EXPECT_EQ(data_refusal(ElementType::kInt32, 1, "[true]"), "input 'x': element 0 is true, which is no INT32");
  EXPECT_EQ(data_refusal(ElementType::kBool, 1, "[2]"), "input 'x': element 0 is 2, which is no BOOL");
  EXPECT_THAT(data_refusal(ElementType::kInt64, 1, "[9223372036854775808]"), HasSubstr("no INT64"));
  EXPECT_THAT(data_refusal(ElementType::kUint64, 1, "[18446744073709551616]"), HasSubstr("no UINT64"));
  EXPECT_THAT(data_refusal(ElementType::kFloat, 1, "[1e39]"), HasSubstr("no FP32"));
  EXPECT_THAT(data_refusal(ElementType::kFloat, 1, "[-3.4028236e38]"), HasSubstr("no FP32"));
  EXPECT_THAT(data_refusal(ElementType::kFloat, 1, R"(["NaN"])"), HasSubstr("a text stands among the numbers"));
  EXPECT_THAT(data_refusal(ElementType::kFloat, 1, "[null]"), HasSubstr("null stands among"));
  EXPECT_THAT(data_refusal(ElementType::kFloat, 1, R"([{"a":[1]}])"), HasSubstr("an object stands among"));
  EXPECT_THAT(data_refusal(ElementType::kFloat16, 1, "[1]"), HasSubstr("FP16 goes as binary data alone"));
  EXPECT_EQ(data_of(ElementType::kUint8, 2, "[0,255]"), (Bytes{0, 255}));
  EXPECT_EQ(data_of(ElementType::kInt8, 2, "[-128,127]"), (Bytes{0x80, 0x7F}));
  EXPECT_EQ(data_of(ElementType::kBool, 4, "[true,false,1,0]"), (Bytes{1, 0, 1, 0}));
  EXPECT_EQ(data_of(ElementType::kUint64, 1, "[18446744073709551615]"), elements(UINT64_MAX));
  EXPECT_EQ(data_of(ElementType::kFloat, 2, "[3.4028234663852886e38,-1]"),
            elements(std::numeric_limits<float>::max(), -1.F));
  EXPECT_EQ(data_of(ElementType::kDouble, 2, "[1e-320,18446744073709551616]"),
            elements(1e-320, 18446744073709551616.0));
  EXPECT_EQ(data_of(ElementType::kDouble, 0, "[]"), Bytes());
}

TEST(InferRequest, TakesRowsThatAreAlike) {
  const auto matrix = [](const std::string& shape, const std::string& data) {
    return refusal(one_request(ElementType::kInt8, shape, data), {}, one_input(ElementType::kInt8, 2));
  };
  EXPECT_EQ(matrix("[2,2]", "[[1,2],[3,4]]"), "");
  EXPECT_EQ(matrix("[2,0]", "[[],[]]"), "");
  EXPECT_EQ(matrix("[2,2]", "[1,2,3,4]"), "");
  for (const auto* data :
       {"[[1,2],[3]]", "[[1,2],3,4]", "[1,[2,3,4]]", "[[1],[2,3],[4]]", "[[[1],2],[3,4]]", "[[1,2,3,4],[]]"}) {
    EXPECT_THAT(matrix("[2,2]", data), HasSubstr("input 'x': the rows of 'data' differ")) << data;
  }
  EXPECT_THAT(matrix("[2,2]", "[[[1,2],[3,4]]]"), HasSubstr("nested as 1x2x2, the shape is 2x2"));
}

TEST(InferRequest, HasTruthsInBinaryDataAlone) {
  const auto text =
      std::string(R"({"inputs":[{"name":"x","shape":[2],"datatype":"BOOL","parameters":{"binary_data_size":2}}]})");
  const auto length = std::to_string(text.size());
  const auto model = one_input(ElementType::kBool);
  EXPECT_EQ(refusal(text + std::string("\0\1", 2), length, model), "");
  EXPECT_EQ(refusal(text + std::string("\0\2", 2), length, model),
            "input 'x': has a byte that is neither 0 nor 1, and is BOOL");
}

/// The answer with one tensor, as JSON.
std::string answer_with(ElementType type, std::int64_t length, const Bytes& data) {
  const std::vector<inference::TensorView> tensors{{.name = "x", .type = type, .shape = {length}, .data = data}};
  const auto answer = write_infer_answer("f", one_input(type), {.outputs = {{.name = "x"}}}, tensors);
  return answer ? std::string(as_text(answer->body)) : answer.error().message();
}

TEST(InferAnswer, IsJson) {
  const auto scores = elements(1.F, -0.1F, 1e30F);
  const std::vector<inference::TensorView> tensors{
      {.name = "half", .type = ElementType::kFloat16, .shape = {2}, .data = {}},
      {.name = "scores", .type = ElementType::kFloat, .shape = {1, 3}, .data = scores}};
  const auto answer = write_infer_answer("nets/a", net(), {.id = "\"1", .outputs = {{.name = "scores"}}}, tensors);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->json_length, std::nullopt);
  EXPECT_EQ(as_text(answer->body), R"({"model_name":"nets/a","model_version":"3","id":"\"1","outputs":[)"
                                   R"({"name":"scores","datatype":"FP32","shape":[1,3],"data":[1.0,-0.1,1e+30]}]})");
}

TEST(InferAnswer, HasBinaryDataBehindItsJson) {
  const auto scores = elements(1.F);
  const Bytes half{1, 2, 3, 4};
  const std::vector<inference::TensorView> tensors{
      {.name = "scores", .type = ElementType::kFloat, .shape = {1, 1}, .data = scores},
      {.name = "half", .type = ElementType::kFloat16, .shape = {2}, .data = half}};
  const InferRequest request{.outputs = {{.name = "half", .binary = true}, {.name = "scores"}}};
  const auto answer = write_infer_answer("f", net(), request, tensors);
  ASSERT_TRUE(answer);
  ASSERT_TRUE(answer->json_length);
  const auto text = as_text(answer->body);
  EXPECT_EQ(text.substr(*answer->json_length), "\1\2\3\4");
  const auto document = json::parse(text.substr(0, *answer->json_length));
  EXPECT_EQ(document["outputs"][0],
            json::parse(R"({"name":"half","datatype":"FP16","shape":[2],"parameters":{"binary_data_size":4}})"));
  EXPECT_EQ(document["outputs"][1]["data"], json::array({1.0}));
}

TEST(InferAnswer, HasElementsOfEveryTypeThatGoesAsJson) {
  EXPECT_THAT(answer_with(ElementType::kBool, 2, {1, 0}), HasSubstr(R"("data":[true,false])"));
  EXPECT_THAT(answer_with(ElementType::kInt8, 2, {0x80, 1}), HasSubstr(R"("data":[-128,1])"));
  EXPECT_THAT(answer_with(ElementType::kUint8, 2, {0x80, 1}), HasSubstr(R"("data":[128,1])"));
  EXPECT_THAT(answer_with(ElementType::kUint64, 1, elements(UINT64_MAX)), HasSubstr("[18446744073709551615]"));
  EXPECT_THAT(answer_with(ElementType::kDouble, 1, elements(0.1)), HasSubstr("[0.1]"));
  EXPECT_THAT(answer_with(ElementType::kDouble, 0, {}), HasSubstr(R"("data":[])"));
  EXPECT_EQ(answer_with(ElementType::kFloat, 2, elements(1.F, std::numeric_limits<float>::quiet_NaN())),
            "output 'x': element 1 is nan, which JSON does not have: ask for binary data");
  EXPECT_EQ(answer_with(ElementType::kInt8, 9'000'000, Bytes(9'000'000)),
            "output 'x': the outputs have more than 8388608 elements, too many for JSON: ask for binary data");
  const auto none = write_infer_answer("f", net(), {.outputs = {{.name = "scores"}}}, {});
  EXPECT_EQ(none.error().message(), "the model did not make the output 'scores'");
}

TEST(InferAnswer, IsReadAgainAsTheSameNumbers) {
  const auto data =
      elements(1.F / 3, std::numeric_limits<float>::denorm_min(), std::numeric_limits<float>::lowest(), 0.F);
  auto document = json::parse(answer_with(ElementType::kFloat, 4, data));
  const auto text = json{{"inputs", document["outputs"]}}.dump();
  const auto read = read_infer_request(one_input(ElementType::kFloat), as_bytes(text), {});
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ(read->owned.at(0), data);
}

TEST(InferRequest, OfManyElementsIsRead) {
  constexpr int kElements = 3 * 224 * 224;
  std::string data = "[0.123456";
  for (int i = 1; i < kElements; ++i) data += ",0.123456";
  const auto read = data_of(ElementType::kFloat, kElements, data + "]");
  ASSERT_EQ(read.size(), kElements * sizeof(float));
  EXPECT_THAT(Bytes(read.end() - sizeof(float), read.end()), testing::ElementsAreArray(elements(0.123456F)));
}

TEST(Metadata, IsOfServerAndModel) {
  EXPECT_EQ(server_metadata(),
            json::parse(R"({"name":"tcfdl","version":"0.1.0","extensions":["binary_tensor_data"]})"));
  const auto document = model_metadata("nets/a", net());
  EXPECT_EQ(document["name"], "nets/a");
  EXPECT_EQ(document["versions"], json::array({"3"}));
  EXPECT_EQ(document["platform"], "onnxruntime_onnx");
  EXPECT_EQ(document["inputs"][1], json::parse(R"({"name":"words","datatype":"INT64","shape":[-1,2]})"));
  EXPECT_EQ(document["outputs"][1], json::parse(R"({"name":"half","datatype":"FP16","shape":[2]})"));
}

} // namespace
} // namespace tcfdl::gateway
