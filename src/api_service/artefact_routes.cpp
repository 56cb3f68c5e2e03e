#include "api_service/routes.hpp"
#include "http/problem.hpp"

#include <algorithm>
#include <memory>
#include <semaphore>

namespace tcfdl::api_service {
namespace {

constexpr std::string_view kBinary = "application/octet-stream";

/// Bounds how many artefacts are in memory. Thread-safe.
using Slots = std::counting_semaphore<64>;

/// Gives its slot back.
class Slot {
public:
  explicit Slot(Slots& slots) : slots_(slots), held_(slots.try_acquire()) {}
  Slot(const Slot&) = delete;
  Slot& operator=(const Slot&) = delete;
  ~Slot() {
    if (held_) slots_.release();
  }
  [[nodiscard]] Status status() const {
    if (held_) return {};
    return Error(Code::kResourceExhausted, "too many artefacts are on their way at once; try again in a moment");
  }

private:
  Slots& slots_;
  const bool held_;
};

Result<std::string> digest_of(const http::Request& request) {
  std::string digest(request.param("sha256"));
  const bool good = digest.size() == 64 && digest.find_first_not_of("0123456789abcdef") == std::string::npos;
  if (good) return digest;
  return Error(Code::kInvalidArgument, "an artefact is named by its SHA-256: 64 lower-case hexadecimal digits");
}

Result<Bytes> read_body(http::BodySource& source, std::uint64_t largest) {
  const auto length = source.length();
  if (!length) return Error(Code::kInvalidArgument, "an artefact is sent with its Content-Length, not in chunks");
  if (*length > largest) {
    return make_error(Code::kResourceExhausted, "the artefact has {} bytes, more than the {} that are taken", *length,
                      largest);
  }
  Bytes content(static_cast<std::size_t>(*length));
  for (std::size_t size = 0; size < content.size();) {
    TCFDL_ASSIGN(const auto got, source.read(std::span(content).subspan(size)));
    if (got == 0) return Error(Code::kInvalidArgument, "the artefact ended before its Content-Length");
    size += got;
  }
  return content;
}

Result<bool> store(Artefacts& artefacts, Slots& slots, std::uint64_t largest, const http::Request& request,
                   http::BodySource& source) {
  TCFDL_ASSIGN(const auto digest, digest_of(request));
  TCFDL_ASSIGN(const auto present, artefacts.contains(digest));
  if (present) return false;
  const Slot slot(slots);
  TCFDL_TRY(slot.status());
  TCFDL_ASSIGN(const auto content, read_body(source, largest));
  TCFDL_TRY(artefacts.put(digest, content));
  return true;
}

Result<Bytes> load(Artefacts& artefacts, Slots& slots, const http::Request& request) {
  TCFDL_ASSIGN(const auto digest, digest_of(request));
  const Slot slot(slots);
  TCFDL_TRY(slot.status());
  return artefacts.get(digest);
}

http::Response head(Artefacts& artefacts, const http::Request& request) {
  const auto digest = digest_of(request);
  const auto present = digest ? artefacts.contains(*digest) : Result<bool>(digest.error());
  if (!present) return http::problem(present.error(), request.path);
  if (*present) return http::Response::of(200, std::string(kBinary), {});
  return http::problem(make_error(Code::kNotFound, "no artefact {}", *digest), request.path);
}

http::Response get(Artefacts& artefacts, Slots& slots, const http::Request& request) {
  auto content = load(artefacts, slots, request);
  if (!content) return http::problem(content.error(), request.path);
  http::Response response;
  response.content_type = kBinary;
  response.body = *std::move(content);
  return response;
}

} // namespace

void add_artefact_routes(http::Server& server, Artefacts& artefacts, const Settings& settings) {
  const auto at_once = std::clamp<std::size_t>(settings.artefacts_at_once, 1, 64);
  auto slots = std::make_shared<Slots>(static_cast<std::ptrdiff_t>(at_once));
  const auto largest = settings.largest_artefact;
  const std::string pattern = "/v1/artefacts/{sha256}";
  server.add(
      "HEAD", pattern, [&artefacts](const http::Request& request) { return head(artefacts, request); },
      from(Level::kDeployer));
  server.add(
      "GET", pattern, [&artefacts, slots](const http::Request& request) { return get(artefacts, *slots, request); },
      from(Level::kDeployer));
  server.add_streaming(
      "PUT", pattern,
      [&artefacts, slots, largest](const http::Request& request, http::BodySource& source) {
        const auto stored = store(artefacts, *slots, largest, request, source);
        return stored ? http::Response::empty(*stored ? 201 : 200) : http::problem(stored.error(), request.path);
      },
      from(Level::kDeployer, largest));
}

} // namespace tcfdl::api_service
