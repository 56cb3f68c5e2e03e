// The master's HTTP API as the commands use it.
#pragma once

#include "base/deadline.hpp"
#include "http/client.hpp"
#include "sdk/context.hpp"

#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>

namespace tcfdl::cli {

/// Errors are the API's; UNAVAILABLE says where nobody answered. Movable; one thread at a time.
class Api {
public:
  /// `context` needs `api_url`, for https also `tls_root` and `tls_server_name`; it shows `api_token`, else
  /// `tls_certificate`, if there is one. INVALID_ARGUMENT.
  static Result<Api> connect(const sdk::Context& context);
  /// The API of a context by name. Errors of `load_api_context`.
  static Result<Api> of_context(const std::string& name);

  Result<nlohmann::json> get(const std::string& target);
  /// Objects, one a line, as long as they come; an error of `take` ends it.
  Status follow(const std::string& target, const std::function<Status(const nlohmann::json&)>& take);
  Result<nlohmann::json> post(const std::string& target, const nlohmann::json& body);
  Status remove(const std::string& target);
  /// Whether HEAD finds it.
  Result<bool> has(const std::string& target);
  /// Sends a file. `sent` is told the bytes that are on their way.
  Status put(const std::string& target, const std::filesystem::path& file, std::uint64_t size,
             std::function<void(std::uint64_t)> sent);

private:
  explicit Api(http::ClientSettings settings) : client_(std::make_unique<http::Client>(std::move(settings))) {}
  Result<nlohmann::json> exchange(http::Request request);
  Result<http::Response> send(http::Request request, std::chrono::seconds within, const http::Sink& sink = {});

  std::unique_ptr<http::Client> client_;
};

/// The target of a function: its name is one segment, its slashes escaped.
std::string function_target(std::string_view name, std::string_view rest = {});

} // namespace tcfdl::cli
