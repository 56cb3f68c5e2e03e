#include "tee/bundle.hpp"

#include "base/encoding.hpp"
#include "base/file.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <sys/mman.h>

namespace tcfdl::tee {
namespace {

/// Reads a file once: hashes it and, where `copy` is a descriptor, copies it there.
Result<std::pair<crypto::Sha256Digest, std::uint64_t>> read_once(const std::filesystem::path& path, int copy) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd.valid()) return errno_error("cannot open", path);
  crypto::Sha256 hash;
  std::uint64_t size = 0;
  Bytes piece(std::size_t{256} * 1024);
  for (;;) {
    const auto got = ::read(fd.get(), piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno_error("cannot read", path);
    if (got == 0) return std::pair(hash.finish(), size);
    const auto bytes = BytesView(piece).first(static_cast<std::size_t>(got));
    hash.update(bytes);
    size += bytes.size();
    if (copy >= 0) TCFDL_TRY(write_all(copy, bytes));
  }
}

Status check_file(const wire::ManifestFile& file, const std::filesystem::path& directory, int copy) {
  const auto path = directory / file.path;
  TCFDL_ASSIGN(const auto found, read_once(path, copy));
  if (found.second == file.size && to_hex(found.first) == file.sha256) return {};
  return make_error(Code::kDataLoss,
                    "{} is not the file of the manifest: it has {} bytes and SHA-256 {}, wanted {} and {}",
                    path.string(), found.second, to_hex(found.first), file.size, file.sha256);
}

Status seal_program(int fd, const std::string& name) {
  std::array<std::uint8_t, 4> magic{};
  if (::pread(fd, magic.data(), magic.size(), 0) != 4 || magic != std::array<std::uint8_t, 4>{0x7F, 'E', 'L', 'F'}) {
    return make_error(Code::kInvalidArgument, "{} is no ELF program; run it through tcfdl-exec", name);
  }
  if (::fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) != 0) {
    return errno_error("cannot seal the memory of", name);
  }
  return {};
}

} // namespace

Result<MeasuredBundle> measure_bundle(BytesView manifest, const std::filesystem::path& directory) {
  TCFDL_ASSIGN(auto parsed, wire::parse_manifest(manifest));
  const auto& program = parsed.command.front();
  UniqueFd memory(::memfd_create(program.substr(0, 200).c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!memory.valid()) return errno_error("cannot make memory for", program);
  bool found = false;
  for (const auto& file : parsed.files) {
    const bool is_program = file.path == program;
    TCFDL_TRY(check_file(file, directory, is_program ? memory.get() : -1));
    found = found || is_program;
  }
  if (!found) return make_error(Code::kInvalidArgument, "the command's program '{}' is no file of the bundle", program);
  TCFDL_TRY(seal_program(memory.get(), program));
  return MeasuredBundle{std::move(parsed), wire::measure_manifest(manifest), directory, std::move(memory)};
}

Result<crypto::Sha256Digest> measure_file(const std::filesystem::path& path) {
  TCFDL_ASSIGN(const auto found, read_once(path, -1));
  return found.first;
}

Result<crypto::Sha256Digest> measure_self() {
  std::error_code failure;
  const auto path = std::filesystem::read_symlink("/proc/self/exe", failure);
  if (failure) return make_error(Code::kInternal, "cannot find the running program: {}", failure.message());
  return measure_file(path);
}

} // namespace tcfdl::tee
