#include "cli/bodies.hpp"

#include "base/file.hpp"
#include "base/ids.hpp"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>

namespace tcfdl::cli {
namespace {

constexpr std::size_t kLargestBody = std::size_t{1} << 30U;
constexpr std::size_t kMostKept = std::size_t{1} << 20U;

bool is_replaced(const std::string& out) {
  std::error_code ignored;
  const auto kind = std::filesystem::status(out, ignored).type();
  return kind == std::filesystem::file_type::not_found || kind == std::filesystem::file_type::regular;
}

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
  OutputBody output(out);
  TCFDL_TRY(output.write(body));
  return output.finish();
}

Result<std::unique_ptr<InputBody>> InputBody::open(const std::string& in) {
  std::unique_ptr<InputBody> body(new InputBody);
  if (in != "-") {
    body->file_ = UniqueFd(::open(in.c_str(), O_RDONLY | O_CLOEXEC));
    if (!body->file_.valid()) return errno_error("cannot open", in);
  }
  const int fd = body->file_.valid() ? body->file_.get() : STDIN_FILENO;
  struct stat info{};
  body->begin_ = ::lseek(fd, 0, SEEK_CUR);
  if (body->begin_ >= 0 && ::fstat(fd, &info) == 0 && S_ISREG(info.st_mode)) {
    body->size_ = static_cast<std::uint64_t>(std::max<off_t>(info.st_size - body->begin_, 0));
  }
  return body;
}

Result<std::size_t> InputBody::receive(std::span<std::uint8_t> out) {
  for (;;) {
    const auto got = ::read(file_.valid() ? file_.get() : STDIN_FILENO, out.data(), out.size());
    if (got >= 0) return static_cast<std::size_t>(got);
    if (errno != EINTR) return errno_error("cannot read", "the body");
  }
}

Result<std::size_t> InputBody::read(std::span<std::uint8_t> out) {
  if (position_ < kept_.size()) {
    const auto taken = std::min(out.size(), kept_.size() - position_);
    std::memcpy(out.data(), kept_.data() + position_, taken);
    position_ += taken;
    return taken;
  }
  TCFDL_ASSIGN(const auto got, receive(out));
  if (size_ || is_lost_) return got;
  is_lost_ = kept_.size() + got > kMostKept;
  if (is_lost_) {
    kept_ = {};
  } else {
    kept_.insert(kept_.end(), out.begin(), out.begin() + static_cast<std::ptrdiff_t>(got));
  }
  position_ = kept_.size();
  return got;
}

bool InputBody::rewind() {
  position_ = 0;
  if (!size_) return !is_lost_;
  return ::lseek(file_.valid() ? file_.get() : STDIN_FILENO, begin_, SEEK_SET) == begin_;
}

OutputBody::~OutputBody() {
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

Status OutputBody::open() {
  if (fd_ >= 0) return {};
  if (out_ == "-") {
    fd_ = STDOUT_FILENO;
    return {};
  }
  if (is_replaced(out_)) {
    auto name = fmt::format("{}.{}", std::filesystem::absolute(out_).string(), make_uuid());
    file_ = UniqueFd(::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, kPublicFile));
    if (file_.valid()) temporary_ = std::move(name);
  } else {
    file_ = UniqueFd(::open(out_.c_str(), O_WRONLY | O_CLOEXEC));
  }
  if (!file_.valid()) return errno_error("cannot open", out_);
  fd_ = file_.get();
  return {};
}

Status OutputBody::write(BytesView piece) {
  TCFDL_TRY(open());
  size_ += piece.size();
  return write_all(fd_, piece);
}

Status OutputBody::finish() {
  TCFDL_TRY(open()); // of an empty result
  if (temporary_.empty()) return {};
  if (::fsync(fd_) != 0 || ::rename(temporary_.c_str(), out_.c_str()) != 0) {
    return errno_error("cannot write", out_);
  }
  temporary_.clear();
  return {};
}

} // namespace tcfdl::cli
