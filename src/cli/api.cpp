#include "cli/api.hpp"

#include "base/file.hpp"
#include "cli/client_tls.hpp"
#include "http/json.hpp"
#include "http/problem.hpp"
#include "sdk/identity.hpp"

#include <cerrno>
#include <fcntl.h>

namespace tcfdl::cli {
namespace {

constexpr std::chrono::seconds kPatience{30};
constexpr std::chrono::seconds kUploadPatience{3600};
constexpr std::chrono::seconds kFollowPatience{7L * 24 * 3600};
constexpr std::size_t kLongestLine = std::size_t{8} << 20U;

/// Reads a file as the body of a request.
http::Producer reader_of(std::shared_ptr<UniqueFd> fd, std::function<void(std::uint64_t)> sent) {
  return [fd = std::move(fd), sent = std::move(sent),
          total = std::uint64_t{0}](std::span<std::uint8_t> out) mutable -> Result<std::size_t> {
    for (;;) {
      const auto got = ::read(fd->get(), out.data(), out.size());
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return errno_error("cannot read", "the artefact");
      total += static_cast<std::uint64_t>(got);
      if (sent) sent(total);
      return static_cast<std::size_t>(got);
    }
  };
}

} // namespace

Result<Api> Api::connect(const sdk::Context& context) {
  TCFDL_ASSIGN(const auto parsed, http::parse_url(context.api_url));
  http::ClientSettings settings;
  settings.host = parsed.host;
  settings.port = parsed.port;
  settings.token = context.api_token;
  if (parsed.tls) {
    if (context.tls_root.empty()) {
      return make_error(Code::kInvalidArgument,
                        "{} needs the authority's root certificate, which a token made by that cluster carries: enrol "
                        "again with one",
                        context.api_url);
    }
    settings.tls = http::ClientTls{context.tls_root, context.tls_server_name};
    if (context.api_token.empty() && !context.tls_certificate.empty()) {
      TCFDL_ASSIGN(const auto identity, sdk::identity_of(context));
      settings.tls->certificate_pem = context.tls_certificate;
      settings.tls->key_pem = std::make_shared<const crypto::SecretBytes>(crypto::private_key_pem(identity.signing));
    }
  }
  return Api(std::move(settings));
}

Result<Api> Api::of_context(const std::string& name) {
  TCFDL_ASSIGN(const auto context, load_api_context(name));
  return connect(context);
}

Result<nlohmann::json> Api::get(const std::string& target) { return exchange(http::Request::make("GET", target)); }

Status Api::follow(const std::string& target, const std::function<Status(const nlohmann::json&)>& take) {
  std::string line;
  const auto take_lines = [&](BytesView piece) -> Status {
    for (auto rest = as_text(piece);;) {
      const auto end = rest.find('\n');
      line += rest.substr(0, end);
      if (line.size() > kLongestLine) return Error(Code::kInternal, "the API sent a line that has no end");
      if (end == std::string_view::npos) return {};
      if (!line.empty()) { // an empty one says that the API is there
        TCFDL_ASSIGN(const auto document, http::parse_json(as_bytes(line), {.depth = 8, .size = kLongestLine}));
        TCFDL_TRY(take(document));
      }
      line.clear();
      rest.remove_prefix(end + 1);
    }
  };
  TCFDL_TRY(send(http::Request::make("GET", target), kFollowPatience, take_lines));
  return {};
}

Result<nlohmann::json> Api::post(const std::string& target, const nlohmann::json& body) {
  return exchange(http::Request::make("POST", target, http::dump_json(body)));
}

Status Api::remove(const std::string& target) {
  TCFDL_TRY(send(http::Request::make("DELETE", target), kPatience));
  return {};
}

Result<bool> Api::has(const std::string& target) {
  const auto response = send(http::Request::make("HEAD", target), kPatience);
  if (response) return true;
  if (response.error().code() == Code::kNotFound) return false;
  return response.error();
}

Status Api::put(const std::string& target, const std::filesystem::path& file, std::uint64_t size,
                std::function<void(std::uint64_t)> sent) {
  auto fd = std::make_shared<UniqueFd>(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd->valid()) return errno_error("cannot open", file);
  auto request = http::Request::make("PUT", target, {}, "application/octet-stream");
  request.upload = http::Upload{.size = size, .read = reader_of(std::move(fd), std::move(sent))};
  TCFDL_TRY(send(std::move(request), kUploadPatience));
  return {};
}

Result<nlohmann::json> Api::exchange(http::Request request) {
  TCFDL_ASSIGN(const auto response, send(std::move(request), kPatience));
  return http::parse_json(response.body, {.depth = 32, .size = std::size_t{64} << 20U});
}

Result<http::Response> Api::send(http::Request request, std::chrono::seconds within, const http::Sink& sink) {
  auto response = client_->call(std::move(request), Deadline::after(within), sink);
  if (!response && response.error().code() == Code::kUnavailable) {
    return Error(Code::kUnavailable,
                 response.error().message() + "; is the cluster running? `tcfdl up` starts one on this machine");
  }
  return response;
}

std::string function_target(std::string_view name, std::string_view rest) {
  return fmt::format("/v1/functions/{}{}", http::percent_encode(name), rest);
}

} // namespace tcfdl::cli
