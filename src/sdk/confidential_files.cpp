#include "sdk/confidential_files.hpp"

#include "base/file.hpp"
#include "base/log.hpp"

#include <fcntl.h>
#include <sys/stat.h>

namespace tcfdl::sdk {
namespace {

Result<wire::Manifest> measured_manifest(const std::string& manifest, const wire::Certificate& certificate) {
  if (as_text(wire::measure_manifest(as_bytes(manifest))) != certificate.measurement()) {
    return make_error(Code::kPermissionDenied, "the manifest is not the one of {} that the authority certified",
                      certificate.function());
  }
  return wire::parse_manifest(as_bytes(manifest));
}

Result<wire::ContentKey> content_key(const Identity& identity, const wire::KeyPackage& package,
                                     const wire::Certificate& certificate, std::int64_t now) {
  if (package.sealed().empty()) {
    return make_error(Code::kFailedPrecondition,
                      "the authority has no key for the confidential files of {}; deploy the function again, with what "
                      "its owner signed",
                      certificate.function());
  }
  wire::KeyScope scope;
  TCFDL_ASSIGN(const auto secret, open_secret_package(identity, package, wire::KEY_ROLE_CONTENT, now, scope));
  if (scope.function() != certificate.function() || scope.measurement() != certificate.measurement()) {
    return make_error(Code::kPermissionDenied, "got the content key of another bundle than this one of {}: of {}",
                      certificate.function(), scope.function());
  }
  wire::ContentKey key;
  if (secret.size() != key.size()) return Error(Code::kInvalidArgument, "the content key has not 16 bytes");
  std::ranges::copy(secret.span(), key.data());
  return key;
}

/// What the function sees must be the file that was opened, and nothing that somebody put in its place.
Status check_seen(int opened, const std::filesystem::path& seen) {
  struct stat here{};
  struct stat there{};
  if (::fstat(opened, &here) != 0 || ::stat(seen.c_str(), &there) != 0) return errno_error("cannot inspect", seen);
  if (here.st_dev == there.st_dev && here.st_ino == there.st_ino) return {};
  return make_error(Code::kPermissionDenied, "{} does not show the opened file", seen.string());
}

Status open_file(const wire::ContentKey& key, const wire::ContentPlace& file, const wire::Plaintext& plaintext,
                 const ContentPlaces& places) {
  const auto sealed = places.sealed / file.path;
  const UniqueFd from(::open(sealed.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!from.valid()) return errno_error("cannot open", sealed);
  const auto opened = places.opened / file.path;
  const UniqueFd to(::open(opened.c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC | O_NOFOLLOW));
  if (!to.valid()) return errno_error("cannot write", opened);
  TCFDL_TRY(check_seen(to.get(), places.bundle / file.path));
  return wire::decrypt_file(key, file, plaintext, from.get(), to.get());
}

void erase(const wire::Manifest& manifest, const ContentPlaces& places) {
  std::error_code ignored;
  for (const auto& path : wire::confidential_paths(manifest))
    std::filesystem::resize_file(places.opened / path, 0, ignored);
}

} // namespace

Status open_confidential_files(const Identity& identity, const Content& content, const ContentPlaces& places,
                               std::int64_t now) {
  const auto signed_certificate = identity.certificate.get();
  TCFDL_ASSIGN(const auto certificate, wire::parse<wire::Certificate>(signed_certificate.statement()));
  if (content.manifest.empty() && places.opened.empty()) return {};
  TCFDL_ASSIGN(const auto manifest, measured_manifest(content.manifest, certificate));
  if (wire::confidential_paths(manifest).empty()) return {};
  if (places.opened.empty()) {
    return Error(Code::kFailedPrecondition,
                 "TCFDL_CONFIDENTIAL is not set: there is no place to open confidential files");
  }
  TCFDL_ASSIGN(const auto key, content_key(identity, content.key, certificate, now));
  for (const auto& file : manifest.files) {
    if (!file.confidential) continue;
    const auto done = open_file(key, {certificate.function(), file.path}, *file.confidential, places);
    if (done) continue;
    erase(manifest, places);
    return done.error().within(fmt::format("{}: {}", certificate.function(), file.path));
  }
  spdlog::info("{} confidential files are open", wire::confidential_paths(manifest).size());
  return {};
}

} // namespace tcfdl::sdk
