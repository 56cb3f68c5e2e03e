#include "api_service/routes.hpp"
#include "base/encoding.hpp"
#include "base/units.hpp"
#include "http/json.hpp"
#include "http/problem.hpp"

#include <algorithm>
#include <atomic>

namespace tcfdl::api_service {
namespace {

constexpr std::uint64_t kLargestDeployment = std::uint64_t{2} << 20U;
constexpr std::int64_t kMostInstances = 1000;
constexpr std::int64_t kMostWarm = 100;
constexpr std::int64_t kLongestResponseTime = 86'400'000; // milliseconds
constexpr std::int64_t kMostMillicores = 1'000'000;
constexpr std::int64_t kMostProcesses = 1'000'000;
constexpr std::int64_t kLongestHealthTime = 3'600'000; // milliseconds
constexpr std::int64_t kMostFailures = 100;
constexpr std::int64_t kLongestOverlap = 24L * 3600; // seconds
constexpr std::int64_t kMostLogBytes = std::int64_t{1} << 20U;
constexpr int kMostFollowers = 4;

Result<Json> wrapped(const char* key, Result<Json> list) {
  if (!list) return list;
  return Json{{key, *std::move(list)}};
}

std::uint64_t size_of(http::JsonObject& object, const std::string& key) {
  const auto bytes = parse_size(object.text_or(key, "0B"));
  if (!bytes) object.refuse(key, bytes.error().message());
  return bytes.value_or(0);
}

HealthSettings health_of(http::JsonObject& object) {
  HealthSettings health;
  const auto read = [&](const char* key, std::uint32_t& value, std::int64_t least, std::int64_t most) {
    value = static_cast<std::uint32_t>(object.integer_or(key, value, least, most));
  };
  read("ready_within_ms", health.ready_within_ms, 1000, kLongestHealthTime);
  read("answer_within_ms", health.answer_within_ms, 1000, kLongestHealthTime);
  read("overdue_ms", health.overdue_ms, 1000, kLongestHealthTime);
  read("trial_ms", health.trial_ms, 0, kLongestHealthTime);
  read("failures", health.failures, 1, kMostFailures);
  return health;
}

Result<FunctionSettings> settings_of(std::optional<http::JsonObject> object) {
  FunctionSettings settings;
  if (!object) return settings;
  if (auto scale = object->object("scale")) {
    settings.least = static_cast<std::uint32_t>(scale->integer_or("min", 1, 0, kMostInstances));
    const auto least_most = std::max<std::int64_t>(settings.least, 1);
    settings.most = static_cast<std::uint32_t>(scale->integer_or("max", least_most, least_most, kMostInstances));
    settings.response_time_ms =
        static_cast<std::uint32_t>(scale->integer_or("response_time_ms", 0, 0, kLongestResponseTime));
    settings.warm = static_cast<std::uint32_t>(scale->integer_or("warm", 0, 0, kMostWarm));
    TCFDL_TRY(scale->finish());
  }
  if (auto resources = object->object("resources")) {
    settings.memory = size_of(*resources, "memory");
    settings.enclave_memory = size_of(*resources, "enclave_memory");
    settings.millicores = static_cast<std::uint32_t>(resources->integer_or("millicores", 0, 0, kMostMillicores));
    settings.most_millicores =
        static_cast<std::uint32_t>(resources->integer_or("most_millicores", 0, 0, kMostMillicores));
    settings.processes = static_cast<std::uint32_t>(resources->integer_or("processes", 0, 0, kMostProcesses));
    TCFDL_TRY(resources->finish());
  }
  if (auto health = object->object("health")) {
    settings.health = health_of(*health);
    TCFDL_TRY(health->finish());
  }
  settings.labels = object->text_map("labels");
  TCFDL_TRY(object->finish());
  return settings;
}

Result<Deployment> deployment_of(const http::Request& request) {
  const http::JsonLimits limits{.depth = 8, .size = kLargestDeployment};
  TCFDL_ASSIGN(auto body, http::JsonObject::parse(request.body, "body", limits));
  const auto descriptor = body.text("descriptor");
  Deployment deployment;
  deployment.manifest = body.text("manifest");
  auto settings = body.object("settings");
  const auto content_key = body.text_or("content_key", "");
  TCFDL_TRY(body.finish());
  TCFDL_ASSIGN(deployment.settings, settings_of(std::move(settings)));
  auto bytes = from_base64url(descriptor);
  if (!bytes) return bytes.error().within("body: 'descriptor'");
  TCFDL_ASSIGN(deployment.unverified_descriptor, wire::parse<wire::Signed>(*bytes));
  if (content_key.empty()) return deployment;
  bytes = from_base64url(content_key);
  if (!bytes) return bytes.error().within("body: 'content_key'");
  TCFDL_ASSIGN(deployment.unverified_content_key, wire::parse<wire::KeyPackage>(*bytes));
  return deployment;
}

http::Response deploy(Functions& functions, const http::Request& request) {
  const auto deployment = deployment_of(request);
  if (!deployment) return http::problem(deployment.error(), request.path);
  auto deployed = functions.deploy(*deployment);
  if (!deployed) return http::problem(deployed.error(), request.path);
  return answer(std::move(deployed->function), request, deployed->created ? 201 : 200);
}

http::Response show(Functions& functions, const http::Request& request) {
  const auto name = function_of(request);
  return answer(name ? functions.get(*name) : Result<Json>(name.error()), request);
}

http::Response remove(Functions& functions, const http::Request& request) {
  const auto name = function_of(request);
  const auto removed = name ? functions.remove(*name) : Status(name.error());
  return removed ? http::Response::empty() : http::problem(removed.error(), request.path);
}

/// A whole number that may be absent.
std::optional<std::uint32_t> number_of(http::JsonObject& body, const std::string& key, std::int64_t most) {
  const auto number = body.integer_or(key, -1, 0, most);
  return number < 0 ? std::nullopt : std::optional(static_cast<std::uint32_t>(number));
}

Result<Json> set_scale(Functions& functions, const http::Request& request) {
  TCFDL_ASSIGN(const auto name, function_of(request));
  TCFDL_ASSIGN(auto body, http::JsonObject::parse(request.body, "body"));
  const ScaleChange change{.least = number_of(body, "min", kMostInstances),
                           .most = number_of(body, "max", kMostInstances),
                           .response_time_ms = number_of(body, "response_time_ms", kLongestResponseTime),
                           .warm = number_of(body, "warm", kMostWarm)};
  TCFDL_TRY(body.finish());
  return functions.set_scale(name, change);
}

Result<Json> rotate_key(Functions& functions, const http::Request& request) {
  TCFDL_ASSIGN(const auto name, function_of(request));
  TCFDL_ASSIGN(auto body, http::JsonObject::parse(request.body, "body"));
  const std::chrono::seconds overlap(body.integer_or("overlap_s", 0, 0, kLongestOverlap));
  TCFDL_TRY(body.finish());
  return functions.rotate_key(name, overlap);
}

/// Each of those who follow takes a thread of the server's.
using Followers = std::shared_ptr<std::atomic<int>>;

/// What comes, a line of JSON for each piece.
class LogStream {
public:
  LogStream(std::unique_ptr<LogFollower> follower, std::stop_token gone, Followers followers)
      : follower_(std::move(follower)), gone_(std::move(gone)), followers_(std::move(followers)) {}
  LogStream(const LogStream&) = delete;
  LogStream& operator=(const LogStream&) = delete;
  ~LogStream() { --*followers_; }

  std::size_t read(std::span<std::uint8_t> out) {
    if (held_.empty()) {
      const auto logs = follower_->next(gone_);
      if (!logs) return 0;
      for (const auto& log : *logs) held_ += http::dump_json(log) + "\n";
      if (logs->empty()) held_ = "\n"; // a peer that is gone without a word shows by it
    }
    const auto taken = std::min(out.size(), held_.size());
    std::copy_n(held_.begin(), taken, out.begin());
    held_.erase(0, taken);
    return taken;
  }

private:
  const std::unique_ptr<LogFollower> follower_;
  const std::stop_token gone_;
  const Followers followers_;
  std::string held_;
};

Result<http::Response> follow_logs(Logs& logs, const Followers& followers, const FunctionName& name, std::size_t bytes,
                                   const http::Request& request) {
  TCFDL_ASSIGN(auto follower, logs.follow(name, bytes));
  if (++*followers > kMostFollowers) {
    --*followers;
    return make_error(Code::kResourceExhausted, "{} follow logs here already, as many as may", kMostFollowers);
  }
  const auto stream = std::make_shared<LogStream>(std::move(follower), request.stop, followers);
  auto response = http::Response::of(200, "application/x-ndjson", {});
  response.stream = [stream](std::span<std::uint8_t> out) -> Result<std::size_t> { return stream->read(out); };
  return response;
}

Result<http::Response> give_logs(Logs& logs, const Followers& followers, const http::Request& request) {
  TCFDL_ASSIGN(const auto name, function_of(request));
  TCFDL_ASSIGN(const auto most, request.query_integer_or("bytes", 64L << 10U, 1, kMostLogBytes));
  const auto bytes = static_cast<std::size_t>(most);
  const auto follow = request.query_text("follow").value_or("false");
  if (follow == "true") return follow_logs(logs, followers, name, bytes, request);
  if (follow != "false") return Error(Code::kInvalidArgument, "query parameter 'follow' is true or false");
  return answer(wrapped("logs", logs.read(name, bytes)), request);
}

} // namespace

void add_function_routes(http::Server& server, Functions& functions, Logs& logs) {
  server.add(
      "GET", "/v1/functions",
      [&functions](const http::Request& request) { return answer(wrapped("functions", functions.list()), request); },
      from(Level::kViewer));
  server.add(
      "POST", "/v1/functions", [&functions](const http::Request& request) { return deploy(functions, request); },
      from(Level::kDeployer, kLargestDeployment));
  server.add(
      "GET", "/v1/functions/{name...}", [&functions](const http::Request& request) { return show(functions, request); },
      from(Level::kViewer));
  server.add(
      "DELETE", "/v1/functions/{name...}",
      [&functions](const http::Request& request) { return remove(functions, request); }, from(Level::kDeployer));
  server.add(
      "POST", "/v1/functions/{name...}/keys",
      [&functions](const http::Request& request) { return answer(rotate_key(functions, request), request, 201); },
      from(Level::kDeployer));
  server.add(
      "POST", "/v1/functions/{name...}/scale",
      [&functions](const http::Request& request) { return answer(set_scale(functions, request), request); },
      from(Level::kDeployer));
  server.add(
      "GET", "/v1/seal-key",
      [&functions](const http::Request& request) { return answer(functions.seal_key(), request); },
      from(Level::kViewer));
  server.add(
      "GET", "/v1/functions/{name...}/logs",
      [&logs, followers = std::make_shared<std::atomic<int>>(0)](const http::Request& request) {
        auto response = give_logs(logs, followers, request);
        return response ? *std::move(response) : http::problem(response.error(), request.path);
      },
      from(Level::kDeployer));
}

} // namespace tcfdl::api_service
