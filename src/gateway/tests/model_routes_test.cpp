#include "gateway/model_routes.hpp"

#include "gateway/tests/client_world.hpp"
#include "gateway/tests/models.hpp"

#include <gmock/gmock.h>

namespace tcfdl::gateway {
namespace {

using nlohmann::json;
using testing::HasSubstr;

constexpr const char* kRequest =
    R"({"id":"7","inputs":[{"name":"picture","shape":[1,2,3],"datatype":"FP32","data":[1,2,3,4,5,6]},
        {"name":"words","shape":[1,2],"datatype":"INT64","data":[1,2]}],"outputs":[{"name":"scores"}]})";

/// The first stage of a model: the scores are the picture.
class FakeModel final : public Client {
public:
  using Client::call;
  Result<CallReport> call(const std::string&, BodyReader&, BodyWriter&, const CallOptions&) override {
    return Error(Code::kUnimplemented, "models have no streams");
  }

  inference::ModelDescription model = net();
  std::optional<Error> error;  ///< of every call
  std::optional<Bytes> result; ///< in place of that of the model
  int described = 0;
  int inferred = 0;
  std::string function;
  CallOptions options;

protected:
  Result<CallResult> call_whole(const std::string& name, BytesView body, const CallOptions& given) override {
    function = name;
    options = given;
    if (error) return *error;
    CallResult called;
    called.report.task_id = "t-1";
    if (given.content_type == inference::kModelType) {
      ++described;
      called.body = result.value_or(to_bytes(inference::to_json(model).dump()));
      return called;
    }
    EXPECT_EQ(given.content_type, inference::kTensorsType);
    ++inferred;
    TCFDL_ASSIGN(auto tensors, inference::parse_tensors(body));
    tensors[0].name = "scores";
    tensors[0].shape = {1, 6};
    called.body = inference::write_tensors(tensors);
    return called;
  }
};

class ModelRoutes : public testing::Test {
protected:
  ModelRoutes() {
    add_model_routes(server_, {client_, callers_, figures_}, descriptions_);
    started_ = bool(server_.start());
  }
  void SetUp() override { ASSERT_TRUE(started_); }
  http::Response send(http::Request request, const std::string& token = kToken) {
    http::Client http({.host = "127.0.0.1", .port = server_.port(), .token = token});
    auto response = http.send(std::move(request), Deadline::after(std::chrono::seconds(20)));
    EXPECT_TRUE(response) << response.error().to_string();
    return response.value_or(http::Response());
  }
  http::Response get(const std::string& target, const std::string& token = kToken) {
    return send(http::Request::make("GET", target), token);
  }
  http::Response infer(const std::string& target = "/v2/models/nets%2Fa/infer", const std::string& body = kRequest) {
    return send(http::Request::make("POST", target, body));
  }
  /// The text of an error, which is all that its document has.
  static std::string error_of(const http::Response& response) {
    EXPECT_EQ(response.content_type, "application/json");
    const auto document = json::parse(response.text(), nullptr, false);
    EXPECT_TRUE(document.is_object() && document.size() == 1 && document.contains("error")) << response.text();
    return document.is_object() ? document.value("error", "") : "";
  }

  FakeModel client_;
  ClientWorld world_;
  Callers callers_{
      {world_.authority.public_key(), world_.cluster, world_.revocations, world_.clock},
      [](const wire::Signed&, Deadline) -> Result<wire::Signed> { return Error(Code::kUnavailable, "nobody to ask"); }};
  CallFigures figures_;
  ModelDescriptions descriptions_;
  http::Server server_{{.authenticate = http::single_token(kToken), .reshape_problem = reshape_problem}};
  bool started_ = false;
};

TEST_F(ModelRoutes, DescribeServerAndModel) {
  EXPECT_EQ(json::parse(get("/v2").text())["name"], "tcfdl");
  EXPECT_EQ(get("/v2/health/live", "").status, 200);
  EXPECT_EQ(get("/v2/health/ready", "").status, 200);
  for (const auto* path : {"/v2/models/nets%2Fa", "/v2/models/nets/a", "/v2/models/nets%2Fa/versions/3"}) {
    const auto response = get(path);
    EXPECT_EQ(response.status, 200) << path;
    const auto document = json::parse(response.text());
    EXPECT_EQ(document["name"], "nets/a");
    EXPECT_EQ(document["versions"], json::array({"3"}));
  }
  const auto ready = get("/v2/models/nets%2Fa/versions/3/ready");
  EXPECT_EQ(ready.status, 200);
  EXPECT_EQ(json::parse(ready.text()), json::parse(R"({"name":"nets/a","ready":true})"));
  EXPECT_EQ(client_.described, 1) << "what is the same for all is asked for once";
}

TEST_F(ModelRoutes, InferByCallingTheFunction) {
  const auto response = infer("/v2/models/nets%2Fa/infer?timeout=7s&cluster=west");
  EXPECT_EQ(response.status, 200) << response.text();
  const auto document = json::parse(response.text());
  EXPECT_EQ(document["model_name"], "nets/a");
  EXPECT_EQ(document["model_version"], "3");
  EXPECT_EQ(document["id"], "7");
  EXPECT_EQ(document["outputs"][0]["data"], json::array({1.0, 2.0, 3.0, 4.0, 5.0, 6.0}));
  EXPECT_EQ(response.headers.get("Tcfdl-Task-Id"), "t-1");
  EXPECT_EQ(client_.function, "nets/a");
  EXPECT_EQ(client_.options.protection, Protection::kEae);
  EXPECT_EQ(client_.options.cluster, "west");
  EXPECT_LE(client_.options.timeout, std::chrono::seconds(7));
  EXPECT_GT(client_.options.timeout, std::chrono::seconds(0));
  EXPECT_FALSE(client_.options.retry_busy);
  metrics::Page page;
  figures_.put_on(page);
  EXPECT_THAT(page.text(), HasSubstr(R"(method="POST",status="200")"));
}

TEST_F(ModelRoutes, AnswerWithBinaryDataBehindJson) {
  auto text = json::parse(kRequest);
  text["parameters"]["binary_data_output"] = true;
  text["inputs"][0].erase("data");
  text["inputs"][0]["parameters"]["binary_data_size"] = 24;
  const auto picture = elements(1.F, 2.F, 3.F, 4.F, 5.F, 6.F);
  auto request = http::Request::make("POST", "/v2/models/a/infer", text.dump() + std::string(as_text(picture)));
  request.headers.add("Inference-Header-Content-Length", std::to_string(text.dump().size()));
  const auto response = send(request);
  EXPECT_EQ(response.status, 200) << response.text();
  EXPECT_EQ(response.content_type, "application/octet-stream");
  const auto length = std::stoul(std::string(response.headers.get("Inference-Header-Content-Length")));
  EXPECT_EQ(response.text().substr(length), as_text(picture));
  EXPECT_EQ(json::parse(response.text().substr(0, length))["outputs"][0]["parameters"]["binary_data_size"], 24);
  request.headers.add("Inference-Header-Content-Length", "5");
  EXPECT_EQ(send(request).status, 400) << "two lengths";
}

TEST_F(ModelRoutes, TellErrorsAsTheProtocolDoes) {
  const auto wrong =
      infer("/v2/models/a/infer", R"({"inputs":[{"name":"picture","shape":[1,2],"datatype":"FP32","data":[1,2]}]})");
  EXPECT_EQ(wrong.status, 400);
  EXPECT_EQ(error_of(wrong), "input 'picture' has the shape 1x2, the model wants 1x2x3");
  EXPECT_EQ(client_.inferred, 0) << "nothing wrong is sent";
  const auto version = infer("/v2/models/a/versions/2/infer");
  EXPECT_EQ(version.status, 404);
  EXPECT_EQ(error_of(version), "the model a has the version 3, not '2'");
  EXPECT_EQ(get("/v2/models/a/versions/03/ready").status, 404);
  EXPECT_EQ(get("/v2/models/a", "another token").status, 401);
  EXPECT_THAT(error_of(get("/v2/models/a", "another token")), HasSubstr("token"));
  EXPECT_EQ(get("/v2", "").status, 401);
  EXPECT_EQ(error_of(get("/v2/other")), "no resource has this path");
  EXPECT_EQ(get("/v2/models/a/infer").status, 405);
  EXPECT_EQ(infer("/v2/models/A/infer").status, 400);
  EXPECT_EQ(infer("/v2/models/a/infer?unknown=1").status, 400);
  EXPECT_EQ(get("/v1/other").content_type, "application/problem+json");
}

TEST_F(ModelRoutes, TellErrorsOfTheCluster) {
  client_.error = Error(Code::kNotFound, "there is no function a");
  const auto unknown = get("/v2/models/a");
  EXPECT_EQ(unknown.status, 404);
  EXPECT_EQ(error_of(unknown), "there is no function a");
  client_.error = Error(Code::kResourceExhausted, "the queue is full");
  client_.error->set_retry_after(std::chrono::milliseconds(2500));
  const auto full = infer();
  EXPECT_EQ(full.status, 429);
  EXPECT_EQ(full.headers.get("Retry-After"), "3");
  EXPECT_EQ(error_of(full), "the queue is full");
  client_.error.reset();
  client_.result = to_bytes("an echo");
  const auto echo = get("/v2/models/echo");
  EXPECT_EQ(echo.status, 404);
  EXPECT_EQ(error_of(echo), "the function echo is no deployed model");
}

TEST_F(ModelRoutes, KnowAnotherModelInPlaceOfTheOneBefore) {
  EXPECT_EQ(get("/v2/models/a").status, 200);
  client_.model.version = 4;
  EXPECT_EQ(get("/v2/models/a/versions/4").status, 200) << "it asks anew for a version that it does not know";
  EXPECT_EQ(client_.described, 2);
  client_.error = Error(Code::kUnavailable, "no instance");
  EXPECT_EQ(infer("/v2/models/a/infer").status, 503);
  client_.error.reset();
  EXPECT_EQ(get("/v2/models/a").status, 200);
  EXPECT_EQ(client_.described, 3) << "after an error it asks anew";
}

TEST_F(ModelRoutes, CallOnceByTheKeyOfTheRequest) {
  auto request = http::Request::make("POST", "/v2/models/a/infer", kRequest);
  const std::string task = "0190b3c0-0000-7000-8000-000000000001";
  request.headers.add("Idempotency-Key", task);
  client_.error = Error(Code::kUnavailable, "no instance");
  EXPECT_EQ(send(request).status, 503);
  EXPECT_EQ(client_.options.task_id, "") << "the description is another task";
  client_.error.reset();
  EXPECT_EQ(send(request).status, 200);
  EXPECT_EQ(client_.options.task_id, task);
}

TEST_F(ModelRoutes, AreForClientsThatAreGrantedTheFunction) {
  ASSERT_EQ(get("/v2/models/echo").status, 200) << "what is kept of it is for those alone who may call it";
  http::ServerSettings settings{.authenticate = http::single_token(kToken), .reshape_problem = reshape_problem};
  settings.tls = world_.server_tls();
  settings.identify = [this](BytesView shown) { return callers_.identify(shown); };
  http::Server secure(std::move(settings));
  add_model_routes(secure, {client_, callers_, figures_}, descriptions_);
  ASSERT_TRUE(secure.start());
  http::Client anna({.port = secure.port(), .tls = world_.client_tls()});
  const auto ask = [&](const http::Request& request) {
    return anna.send(request, Deadline::after(std::chrono::seconds(20))).value_or(http::Response());
  };
  EXPECT_EQ(ask(http::Request::make("POST", "/v2/models/plates%2Fread/infer", kRequest)).status, 200);
  EXPECT_EQ(client_.options.on_behalf_of, "anna");
  client_.function.clear();
  for (const auto* path : {"/v2/models/echo", "/v2/models/echo/ready", "/v2/models/echo/versions/3"}) {
    EXPECT_EQ(ask(http::Request::make("GET", path)).status, 403) << path;
  }
  const auto refused = ask(http::Request::make("POST", "/v2/models/echo/infer", kRequest));
  EXPECT_EQ(refused.status, 403);
  EXPECT_EQ(error_of(refused), "anna has no grant to call echo");
  EXPECT_EQ(client_.function, "") << "nothing left the gateway";
}

} // namespace
} // namespace tcfdl::gateway
