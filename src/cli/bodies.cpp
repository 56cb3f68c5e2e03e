#include "cli/bodies.hpp"

#include "base/file.hpp"

#include <cerrno>
#include <fcntl.h>

namespace tcfdl::cli {
namespace {

constexpr std::size_t kLargestBody = std::size_t{1} << 30U;

Result<Bytes> read_input() {
  Bytes content;
  Bytes piece(std::size_t{64} << 10U);
  for (;;) {
    const auto got = ::read(STDIN_FILENO, piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno_error("cannot read", "standard input");
    if (got == 0) return content;
    content.insert(content.end(), piece.begin(), piece.begin() + got);
    if (content.size() > kLargestBody) return Error(Code::kResourceExhausted, "the input is larger than 1 GiB");
  }
}

} // namespace

Result<Bytes> read_body(const std::string& in) { return in == "-" ? read_input() : read_file(in, kLargestBody); }

Status write_body(const std::string& out, BytesView body) {
  if (out == "-") return write_all(STDOUT_FILENO, body);
  std::error_code ignored;
  const auto kind = std::filesystem::status(out, ignored).type();
  if (kind == std::filesystem::file_type::not_found || kind == std::filesystem::file_type::regular) {
    return write_file(std::filesystem::absolute(out), body);
  }
  const UniqueFd fd(::open(out.c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd.valid()) return errno_error("cannot open", out);
  return write_all(fd.get(), body);
}

} // namespace tcfdl::cli
