#include "tee/attestation_file.hpp"

#include "base/file.hpp"
#include "tee/attester.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <thread>

namespace tcfdl::tee {
namespace {

constexpr std::size_t kLongestText = 256;

/// Pseudo-files are there with their directory; emulations of them may take a moment.
Result<Bytes> read_when_there(const std::filesystem::path& path, std::size_t limit, Deadline deadline) {
  for (;;) {
    auto content = read_file(path, limit);
    if (content || content.error().code() != Code::kNotFound || deadline.expired()) return content;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

} // namespace

Status check_report_data_size(BytesView report_data) {
  if (report_data.size() == kReportDataSize) return {};
  return make_error(Code::kInvalidArgument, "report data have {} bytes, not {}", kReportDataSize, report_data.size());
}

Status write_attestation_file(const std::filesystem::path& path, BytesView content) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0) return errno_error("cannot open", path);
  const auto wrote = ::write(fd, content.data(), content.size());
  auto failure = wrote < 0 ? std::optional(errno_error("cannot write", path)) : std::nullopt;
  if (::close(fd) != 0 && !failure) failure = errno_error("cannot write", path);
  if (failure) return *std::move(failure);
  if (std::cmp_equal(wrote, content.size())) return {};
  return make_error(Code::kInternal, "{} took {} of {} bytes", path.string(), wrote, content.size());
}

Result<std::string> read_attestation_text(const std::filesystem::path& path, Deadline deadline) {
  TCFDL_ASSIGN(const auto content, read_when_there(path, kLongestText, deadline));
  auto text = as_text(content);
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ' || text.back() == '\0')) text.remove_suffix(1);
  return std::string(text);
}

Result<Bytes> read_attestation_file(const std::filesystem::path& path, std::size_t limit, Deadline deadline) {
  TCFDL_ASSIGN(auto content, read_when_there(path, limit, deadline));
  if (content.empty()) return make_error(Code::kInternal, "{} is empty", path.string());
  return content;
}

Status check_bound(BytesView evidence, std::size_t offset, BytesView report_data, std::string_view what) {
  const bool bound = evidence.size() >= offset + report_data.size() &&
                     std::ranges::equal(evidence.subspan(offset, report_data.size()), report_data);
  if (bound) return {};
  return make_error(Code::kAborted, "{} has other report data than asked for: something else attests at the same time",
                    what);
}

} // namespace tcfdl::tee
