#include "base/encoding.hpp"
#include "base/file.hpp"
#include "base/units.hpp"
#include "cli/function_file.hpp"
#include "crypto/hash.hpp"
#include "crypto/random.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>

namespace tcfdl::cli {
namespace {

std::uint64_t now_seconds() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::seconds>(now).count());
}

void add_blob(Bundle& bundle, Bundle::Blob blob) {
  const auto same = [&](const Bundle::Blob& known) { return known.sha256 == blob.sha256; };
  if (std::ranges::none_of(bundle.blobs, same)) bundle.blobs.push_back(std::move(blob));
}

/// Encrypts a file of the bundle, whose key is drawn with the first one.
Result<wire::ManifestFile> add_encrypted(Bundle& bundle, const std::string& function, const FunctionSource& file) {
  if (!bundle.content_key) {
    bundle.content_key = crypto::random_secret<crypto::kAeadKeySize>();
    bundle.encrypted = std::make_shared<const TemporaryDirectory>();
  }
  if (!std::filesystem::is_regular_file(file.source)) return hash_file(file.source).error();
  const auto target = bundle.encrypted->path() / std::to_string(bundle.blobs.size());
  TCFDL_ASSIGN(auto entry, wire::encrypt_file(*bundle.content_key, {function, file.path}, file.source, target));
  add_blob(bundle, {entry.sha256, entry.size, target});
  return entry;
}

Result<wire::ManifestFile> add_file(Bundle& bundle, const std::string& function, const FunctionSource& file) {
  if (file.confidential) return add_encrypted(bundle, function, file);
  TCFDL_ASSIGN(auto blob, hash_file(file.source));
  wire::ManifestFile entry{file.path, blob.sha256, blob.size, file.executable};
  add_blob(bundle, std::move(blob));
  return entry;
}

/// Opened files count against the instance's memory.
Status check_memory(const FunctionFile& function, const wire::Manifest& manifest) {
  if (function.memory.empty()) return {};
  TCFDL_ASSIGN(const auto memory, parse_size(function.memory));
  std::uint64_t opened = 0;
  for (const auto& file : manifest.files) opened += file.confidential ? file.confidential->size : 0;
  if (opened == 0 || opened < memory) return {};
  return make_error(Code::kInvalidArgument,
                    "its confidential files have {} bytes, which are opened into the instance's memory of {}; raise "
                    "resources.memory",
                    opened, function.memory);
}

} // namespace

Result<Bundle::Blob> hash_file(const std::filesystem::path& path) {
  if (!std::filesystem::is_regular_file(path)) {
    return make_error(Code::kNotFound, "{} is no file; build it, or correct 'source'", path.string());
  }
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return errno_error("cannot open", path);
  Bundle::Blob blob;
  blob.source = path;
  crypto::Sha256 hash;
  Bytes piece(std::size_t{256} << 10U);
  for (;;) {
    const auto got = ::read(fd.get(), piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno_error("cannot read", path);
    if (got == 0) break;
    hash.update(BytesView(piece).first(static_cast<std::size_t>(got)));
    blob.size += static_cast<std::uint64_t>(got);
  }
  blob.sha256 = to_hex(hash.finish());
  return blob;
}

Result<Bundle> make_bundle(const FunctionFile& function) {
  Bundle bundle;
  wire::Manifest manifest{
      .command = function.command, .environment = function.environment, .files = {}, .logs = function.logs};
  for (const auto& file : function.files) {
    auto entry = add_file(bundle, function.name, file);
    if (!entry) return entry.error().within(function.name);
    manifest.files.push_back(*std::move(entry));
  }
  std::ranges::sort(manifest.files, {}, &wire::ManifestFile::path);
  if (const auto good = wire::check_manifest(manifest); !good) return good.error().within(function.name);
  if (const auto fits = check_memory(function, manifest); !fits) return fits.error().within(function.name);
  bundle.manifest = as_text(wire::write_manifest(manifest));
  return bundle;
}

wire::Descriptor make_descriptor(const FunctionFile& function, const Bundle& bundle, BytesView owner_key) {
  wire::Descriptor descriptor;
  descriptor.set_name(function.name);
  descriptor.set_version(function.version == 0 ? now_seconds() : function.version);
  descriptor.set_owner_key(wire::field(owner_key));
  descriptor.set_measurement(wire::field(wire::measure_manifest(as_bytes(bundle.manifest))));
  for (const auto& kind : function.tee_kinds) descriptor.add_tee_kinds(kind);
  for (const auto& name : function.assurance) descriptor.add_assurance(name);
  for (const auto& provider : function.providers) descriptor.add_providers(provider);
  for (const auto& protection : function.protections) descriptor.add_protections(protection);
  descriptor.set_epoch(1);
  descriptor.set_concurrency(function.concurrency);
  descriptor.set_idempotent(function.idempotent);
  descriptor.set_isolate_instance(function.isolate_instance);
  descriptor.set_direct_tls(function.direct_tls);
  for (const auto& topic : function.topics) descriptor.add_triggers(topic);
  for (const auto& expression : function.cron) descriptor.add_cron(expression);
  descriptor.set_queue_limit(function.queue_limit);
  descriptor.set_max_body(function.max_body);
  return descriptor;
}

} // namespace tcfdl::cli
