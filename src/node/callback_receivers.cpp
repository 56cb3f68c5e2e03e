#include "node/callback_receivers.hpp"

#include "base/file.hpp"
#include "http/client.hpp"
#include "wire/task_document.hpp"

#include <sys/stat.h>

namespace tcfdl::node {
namespace {

constexpr std::size_t kLongestUrl = 1024;
constexpr std::size_t kLargestRoots = std::size_t{4} << 20U;
constexpr std::uint64_t kLargestAnswer = std::uint64_t{64} << 10U;

/// A part that could lead out of the path before it, or that servers read differently.
bool is_ambiguous(std::string_view path) {
  return path.find("/.") != std::string_view::npos || path.find("//") != std::string_view::npos ||
         path.find_first_of("%\\;") != std::string_view::npos;
}

/// Reads `size` bytes of a file after a head.
http::Producer content_of(Bytes head, int file) {
  return [head = std::move(head), file,
          sent = std::size_t{0}](std::span<std::uint8_t> out) mutable -> Result<std::size_t> {
    if (sent < head.size()) {
      const auto piece = BytesView(head).subspan(sent, std::min(out.size(), head.size() - sent));
      std::ranges::copy(piece, out.begin());
      sent += piece.size();
      return piece.size();
    }
    const auto got = file < 0 ? 0 : ::read(file, out.data(), out.size());
    if (got < 0) return errno_error("cannot read", "a stored result");
    return static_cast<std::size_t>(got);
  };
}

} // namespace

Result<std::unique_ptr<CallbackReceivers>> CallbackReceivers::make(const CallbackConfig& config) {
  std::unique_ptr<CallbackReceivers> receivers(new CallbackReceivers(config));
  for (const auto& text : config.admitted) {
    TCFDL_ASSIGN(const auto url, http::parse_url(text));
    if (!url.tls) TCFDL_TRY(http::loopback_address(url.host));
    if (is_ambiguous(url.path)) return make_error(Code::kInvalidArgument, "callbacks: '{}' is no plain URL", text);
    receivers->admitted_.push_back(text.ends_with('/') ? text.substr(0, text.size() - 1) : text);
  }
  return receivers;
}

Status CallbackReceivers::check(const std::string& url) const {
  if (url.size() > kLongestUrl) return make_error(Code::kInvalidArgument, "callback: more than {} bytes", kLongestUrl);
  TCFDL_ASSIGN(const auto parsed, http::parse_url(url));
  const bool admitted = !is_ambiguous(parsed.path) && std::ranges::any_of(admitted_, [&](const std::string& base) {
    return url.starts_with(base) && (url.size() == base.size() || url[base.size()] == '/');
  });
  if (admitted) return {};
  return make_error(Code::kPermissionDenied,
                    "the cluster posts to no '{}'; its operator names where it may in 'callbacks'",
                    http::printable(url, 128));
}

Result<int> CallbackReceivers::post(const std::string& url, const wire::StoredTask& task, int result,
                                    Deadline deadline) {
  TCFDL_TRY(check(url)); // the configuration may be another since
  TCFDL_ASSIGN(const auto to, http::parse_url(url));
  http::ClientSettings settings{.host = to.host, .port = to.port, .max_response = kLargestAnswer};
  if (to.tls) {
    TCFDL_ASSIGN(const auto roots, read_file(root_, kLargestRoots));
    settings.tls = http::ClientTls{std::string(as_text(roots)), to.host};
  }
  auto head = wire::task_document_head(task);
  struct stat status{};
  if (result >= 0 && ::fstat(result, &status) != 0) return errno_error("cannot look at", "a stored result");
  http::Request request;
  request.method = "POST";
  request.target = to.path.empty() ? "/" : to.path;
  request.headers.set("Content-Type", std::string(wire::kTaskDocumentType));
  request.headers.set("Idempotency-Key", task.task_id());
  request.upload =
      http::Upload{head.size() + static_cast<std::uint64_t>(status.st_size), content_of(std::move(head), result)};
  TCFDL_ASSIGN(const auto response, http::Client(std::move(settings)).send(std::move(request), deadline));
  return response.status;
}

} // namespace tcfdl::node
