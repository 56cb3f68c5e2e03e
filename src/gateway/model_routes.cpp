#include "gateway/model_routes.hpp"

#include "gateway/open_inference.hpp"
#include "gateway/options.hpp"
#include "http/json.hpp"
#include "http/problem.hpp"

namespace tcfdl::gateway {
namespace {

constexpr std::chrono::seconds kKept{5};
constexpr std::size_t kMostKept = 256;
constexpr std::size_t kShownVersion = 64;

http::Response document(const nlohmann::json& content) { return http::Response::json(200, http::dump_json(content)); }

/// One request for a model.
class ModelRequest {
public:
  /// Refuses who may not call the function, before anything is known of it.
  static Result<ModelRequest> begin(const InvokeParts& parts, ModelDescriptions& descriptions,
                                    const http::Request& request) {
    TCFDL_ASSIGN(auto admitted, admit_call(parts.callers, request));
    admitted.options.cancel = request.stop;
    return ModelRequest(parts, descriptions, request, std::move(admitted.function), std::move(admitted.options));
  }

  Result<http::Response> metadata() {
    TCFDL_ASSIGN(const auto model, describe());
    return document(model_metadata(function_, *model));
  }

  Result<http::Response> ready() {
    TCFDL_ASSIGN(const auto model, describe());
    return document({{"name", function_}, {"ready", true}});
  }

  Result<http::Response> infer() {
    return in_span(parts_, "POST /v2/models/{name}/infer", options_, [this]() -> Result<http::Response> {
      TCFDL_ASSIGN(const auto model, describe());
      if (request_.headers.count(kJsonLengthField) > 1) {
        return make_error(Code::kInvalidArgument, "{} is there twice", kJsonLengthField);
      }
      TCFDL_ASSIGN(const auto read, read_infer_request(*model, request_.body, request_.headers.get(kJsonLengthField)));
      TCFDL_ASSIGN(const auto called, call(inference::write_tensors(read.inputs), inference::kTensorsType));
      auto written = write(*model, read, called);
      if (!written) descriptions_.forget(options_.cluster, function_);
      return written;
    });
  }

private:
  ModelRequest(const InvokeParts& parts, ModelDescriptions& descriptions, const http::Request& request,
               std::string function, CallOptions options)
      : parts_(parts), descriptions_(descriptions), request_(request), function_(std::move(function)),
        options_(std::move(options)), deadline_(Deadline::after(options_.timeout)) {}

  /// The model, which has the version that is asked for; NOT_FOUND for another one, and for functions that are no
  /// model.
  Result<ModelDescriptions::Pointer> describe() {
    const auto version = std::string(request_.param("version"));
    const auto fits = [&](const ModelDescriptions::Pointer& model) {
      return version.empty() || version == std::to_string(model->version);
    };
    if (auto known = descriptions_.find(options_.cluster, function_); known && fits(known)) return known;
    TCFDL_ASSIGN(auto model, ask());
    if (fits(model)) return model;
    return make_error(Code::kNotFound, "the model {} has the version {}, not '{}'", function_, model->version,
                      http::printable(version, kShownVersion));
  }

  Result<ModelDescriptions::Pointer> ask() {
    auto options = options_;
    options.task_id.clear(); // is of the inference
    options.content_type = inference::kModelType;
    TCFDL_ASSIGN(const auto told, parts_.client.call(function_, {}, options));
    auto description = inference::parse_model_description(told.body);
    if (!description) return make_error(Code::kNotFound, "the function {} is no deployed model", function_);
    auto model = std::make_shared<const inference::ModelDescription>(*std::move(description));
    descriptions_.keep(options_.cluster, function_, model);
    return model;
  }

  /// What fails may do so because another model has taken the place of the one that is known.
  Result<CallResult> call(BytesView body, const char* content_type) {
    auto options = options_;
    options.timeout = std::chrono::milliseconds(deadline_.left_millis());
    options.content_type = content_type;
    auto called = parts_.client.call(function_, body, options);
    if (!called) descriptions_.forget(options_.cluster, function_);
    return called;
  }

  Result<http::Response> write(const inference::ModelDescription& model, const InferRequest& read,
                               const CallResult& called) {
    const auto tensors = inference::parse_tensors(called.body);
    if (!tensors) return make_error(Code::kInternal, "the model's answer: {}", tensors.error().message());
    TCFDL_ASSIGN(auto answer, write_infer_answer(function_, model, read, *tensors));
    auto response = http::Response::of(200, answer.json_length ? "application/octet-stream" : "application/json", {});
    if (answer.json_length) response.headers.add(kJsonLengthField, std::to_string(*answer.json_length));
    response.body = std::move(answer.body);
    add_report(response, called.report);
    return response;
  }

  const InvokeParts& parts_;
  ModelDescriptions& descriptions_;
  const http::Request& request_;
  std::string function_;
  CallOptions options_;
  Deadline deadline_;
};

using Answer = Result<http::Response> (ModelRequest::*)();

http::Handler answering(const InvokeParts& parts, ModelDescriptions& descriptions, Answer answer) {
  return [parts, &descriptions, answer](const http::Request& request) {
    auto asked = ModelRequest::begin(parts, descriptions, request);
    if (!asked) return http::problem(asked.error(), request.path);
    auto response = ((*asked).*answer)();
    return response ? *std::move(response) : http::problem(response.error(), request.path);
  };
}

} // namespace

ModelDescriptions::Pointer ModelDescriptions::find(const std::string& cluster, const std::string& function) const {
  return kept_.with([&](const auto& kept) -> Pointer {
    const auto found = kept.find({cluster, function});
    return found == kept.end() || found->second.until.expired() ? nullptr : found->second.description;
  });
}

void ModelDescriptions::keep(const std::string& cluster, const std::string& function, Pointer description) {
  kept_.with([&](auto& kept) {
    if (kept.size() >= kMostKept) kept.clear();
    kept.insert_or_assign({cluster, function}, Kept{std::move(description), Deadline::after(kKept)});
  });
}

void ModelDescriptions::forget(const std::string& cluster, const std::string& function) {
  kept_.with([&](auto& kept) { kept.erase({cluster, function}); });
}

void add_model_routes(http::Server& server, const InvokeParts& parts, ModelDescriptions& descriptions) {
  const std::string model = "/v2/models/{name...}";
  for (const auto& path : {model, model + "/versions/{version}"}) {
    server.add("GET", path, answering(parts, descriptions, &ModelRequest::metadata));
    server.add("GET", path + "/ready", answering(parts, descriptions, &ModelRequest::ready));
    server.add("POST", path + "/infer", counted(parts, answering(parts, descriptions, &ModelRequest::infer)),
               {.max_body = kMaxBody});
  }
  server.add("GET", "/v2", [](const http::Request&) { return document(server_metadata()); });
  server.add("GET", "/v2/health/live", [](const http::Request&) { return document({{"live", true}}); },
             {.is_public = true});
  server.add("GET", "/v2/health/ready", [](const http::Request&) { return document({{"ready", true}}); },
             {.is_public = true});
}

void reshape_problem(std::string_view path, http::Response& problem) {
  if (path != "/v2" && !path.starts_with("/v2/")) return;
  problem.body = to_bytes(http::dump_json({{"error", http::error_of(problem).message()}}));
  problem.content_type = "application/json";
}

} // namespace tcfdl::gateway
