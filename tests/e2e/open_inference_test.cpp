// Deployed models by the Open Inference Protocol, at the gateway with curl.
#include "support/platform.hpp"

#include <cstring>
#include <gmock/gmock.h>
#include <sdk/context.hpp>

namespace tcfdl::test {
namespace {

using testing::HasSubstr;

constexpr std::size_t kNumpyHead = 128;
constexpr const char* kLengthField = "Inference-Header-Content-Length: ";

/// An answer of the gateway.
struct Answered {
  int status = 0;
  std::string head;
  std::string body;

  [[nodiscard]] Json document() const { return Json::parse(body, nullptr, false); }
  [[nodiscard]] std::string error() const { return document().value("error", ""); }
  /// Where its JSON ends.
  [[nodiscard]] std::size_t json_length() const {
    const auto at = head.find(kLengthField);
    return at == std::string::npos ? body.size() : std::stoul(head.substr(at + std::strlen(kLengthField)));
  }
};

class OpenInference : public testing::Test {
protected:
  void SetUp() override {
    platform_.add_environment({{"ASAN_OPTIONS", "quarantine_size_mb=1"}}); // what the sanitizer holds back would count
    ASSERT_EQ(platform_.up(), "");
    owner_ = sdk::load_context("local").value();
    expect({"model", "synth", "mobilenet", "--scale", "1", "--out", file("net.onnx")});
    expect({"model", "import", file("net.onnx"), "--name", "net"});
    // Enclaves are so large that sanitizers fit in.
    expect(
        {"model", "plan", "net", "--enclave-memory", "700MiB", "--reserve", "250MiB", "--stages", "2", "--runs", "1"});
    expect({"model", "deploy", "net", "--as", "nets/mobile"});
  }
  void expect(const std::vector<std::string>& arguments) {
    const auto finished = platform_.tcfdl(arguments);
    ASSERT_EQ(finished.exit_code, 0) << finished.out << finished.err;
  }
  [[nodiscard]] std::string file(const std::string& name) const { return (platform_.root() / name).string(); }

  Answered ask(const std::string& path, std::vector<std::string> more = {}, bool with_token = true) {
    std::vector<std::string> command{
        "curl", "-sS", "-D", file("head"), "-o", file("body"), "-w", "%{http_code}", owner_.gateway_url + path};
    if (with_token) more.insert(more.end(), {"-H", "Authorization: Bearer " + owner_.gateway_token});
    command.insert(command.end(), more.begin(), more.end());
    const auto finished = run(command);
    EXPECT_EQ(finished.exit_code, 0) << finished.err;
    return {std::stoi("0" + finished.out), text_of("head"), text_of("body")};
  }
  Answered post(const std::string& path, const std::string& body, std::vector<std::string> more = {}) {
    EXPECT_TRUE(write_file(file("request"), as_bytes(body)));
    more.insert(more.end(), {"--data-binary", "@" + file("request")});
    return ask(path, std::move(more));
  }
  [[nodiscard]] std::string text_of(const std::string& name) const {
    return std::string(as_text(read_file(file(name)).value_or(Bytes())));
  }

  /// A picture as a NumPy array, and what `tcfdl model infer` makes of it: the elements of both.
  std::string picture(const std::string& input) {
    constexpr std::size_t kElements = std::size_t{3} * 224 * 224;
    std::string head = "\x93NUMPY\x01" + std::string(1, '\0') + "\x76" + std::string(1, '\0') +
                       "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 3, 224, 224), }";
    head.resize(kNumpyHead, ' ');
    head.back() = '\n';
    std::string elements(kElements * sizeof(float), '\0');
    for (std::size_t i = 0; i < kElements; ++i) {
      const auto value = static_cast<float>(i % 997) / 997.0F - 0.5F;
      std::memcpy(elements.data() + i * sizeof(float), &value, sizeof(value));
    }
    EXPECT_TRUE(write_file(file("picture.npy"), as_bytes(head + elements)));
    const auto inferred = platform_.json(
        {"model", "infer", "nets/mobile", "--input", input + "=" + file("picture.npy"), "--out", file("out")});
    EXPECT_TRUE(inferred.is_object());
    if (inferred.is_object()) {
      const auto whole = read_file(inferred["outputs"][0]["file"].get<std::string>()).value();
      expected_ = std::string(as_text(whole)).substr(kNumpyHead);
    }
    return elements;
  }
  static std::vector<float> floats(const std::string& elements) {
    std::vector<float> values(elements.size() / sizeof(float));
    std::memcpy(values.data(), elements.data(), elements.size());
    return values;
  }

  Platform platform_;
  sdk::Context owner_;
  std::string expected_;
};

TEST_F(OpenInference, GivesWhatTheCommandLineGives) {
  const auto metadata = ask("/v2/models/nets%2Fmobile");
  ASSERT_EQ(metadata.status, 200) << metadata.body;
  const auto model = metadata.document();
  EXPECT_EQ(model["name"], "nets/mobile");
  EXPECT_EQ(model["versions"], Json::array({"1"}));
  EXPECT_EQ(model["platform"], "onnxruntime_onnx");
  ASSERT_EQ(model["inputs"].size(), 1U);
  EXPECT_EQ(model["inputs"][0]["datatype"], "FP32");
  const auto input = model["inputs"][0]["name"].get<std::string>();
  const auto output = model["outputs"][0]["name"].get<std::string>();
  EXPECT_EQ(ask("/v2/models/nets%2Fmobile/versions/1/ready").document()["ready"], true);
  EXPECT_EQ(ask("/v2/health/ready", {}, false).status, 200);

  const auto elements = picture(input);
  ASSERT_EQ(expected_.size(), 4000U);
  Json tensor{{"name", input}, {"shape", {1, 3, 224, 224}}, {"datatype", "FP32"}, {"data", floats(elements)}};
  const auto by_json = post("/v2/models/nets%2Fmobile/infer", Json{{"id", "1"}, {"inputs", {tensor}}}.dump());
  ASSERT_EQ(by_json.status, 200) << by_json.body;
  const auto answer = by_json.document();
  EXPECT_EQ(answer["model_name"], "nets/mobile");
  EXPECT_EQ(answer["model_version"], "1");
  EXPECT_EQ(answer["id"], "1");
  EXPECT_EQ(answer["outputs"][0]["shape"], Json({1, 1000}));
  EXPECT_EQ(answer["outputs"][0]["data"].get<std::vector<float>>(), floats(expected_));

  tensor.erase("data");
  tensor["parameters"]["binary_data_size"] = elements.size();
  const auto text =
      Json{{"inputs", {tensor}}, {"outputs", {{{"name", output}, {"parameters", {{"binary_data", true}}}}}}}.dump();
  const auto by_bytes = post("/v2/models/nets/mobile/versions/1/infer", text + elements,
                             {"-H", kLengthField + std::to_string(text.size())});
  ASSERT_EQ(by_bytes.status, 200) << by_bytes.body;
  EXPECT_EQ(by_bytes.body.substr(by_bytes.json_length()), expected_);
}

TEST_F(OpenInference, NamesWhatIsWrong) {
  EXPECT_EQ(ask("/v2/models/nets%2Fmobile", {}, false).status, 401);
  EXPECT_THAT(ask("/v2/models/nets%2Fmobile", {}, false).error(), HasSubstr("token"));
  EXPECT_EQ(ask("/v2/models/other").status, 404);
  EXPECT_EQ(ask("/v2/models/nets%2Fmobile/versions/2").status, 404);
  const auto version = post("/v2/models/nets%2Fmobile/versions/2/infer", "{}");
  EXPECT_EQ(version.status, 404);
  EXPECT_EQ(version.error(), "the model nets/mobile has the version 1, not '2'");
  const auto input = ask("/v2/models/nets%2Fmobile").document()["inputs"][0]["name"].get<std::string>();
  const Json tensor{{"name", input}, {"shape", {1, 2}}, {"datatype", "FP32"}, {"data", {1, 2}}};
  const auto shape = post("/v2/models/nets%2Fmobile/infer", Json{{"inputs", {tensor}}}.dump());
  EXPECT_EQ(shape.status, 400);
  EXPECT_EQ(shape.error(), "input '" + input + "' has the shape 1x2, the model wants 1x3x224x224");
  const auto rest = post("/v2/models/nets%2Fmobile/infer", "{}garbage");
  EXPECT_EQ(rest.status, 400);
  EXPECT_THAT(rest.error(), HasSubstr("no valid JSON"));
  ASSERT_EQ(platform_.deploy("echo", "examples-echo").exit_code, 0);
  const auto echo = ask("/v2/models/echo");
  EXPECT_EQ(echo.status, 404);
  EXPECT_EQ(echo.error(), "the function echo is no deployed model");
}

} // namespace
} // namespace tcfdl::test
