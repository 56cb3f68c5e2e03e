#include "tee/tsm_attester.hpp"

#include "base/file.hpp"
#include "base/log.hpp"
#include "tee/attestation_file.hpp"

#include <cerrno>
#include <charconv>
#include <sys/stat.h>
#include <thread>

namespace tcfdl::tee {
namespace {

constexpr int kAttempts = 5;
constexpr std::size_t kLargestBlob = std::size_t{64} << 10U;

constexpr std::string_view kTdxGuest = "tdx_guest";
constexpr std::string_view kSnpGuest = "sev_guest";

/// Where a report has its report data (AMD 56860; Intel TDX DCAP Quoting Library API: version 5 has a body type and a
/// size before the body).
std::size_t report_data_at(std::string_view provider, BytesView report) {
  if (provider == kSnpGuest) return 0x50;
  const bool version_5 = report.size() > 1 && report[0] == 5 && report[1] == 0;
  return (version_5 ? 54 : 48) + 520;
}

/// A directory of one request, removed with this object.
class Request {
public:
  static Result<Request> make(const std::filesystem::path& root, std::chrono::milliseconds patience) {
    auto path = root / fmt::format("tcfdl-{}", make_uuid());
    if (::mkdir(path.c_str(), S_IRWXU) != 0) return errno_error("cannot make the request", path);
    return Request(std::move(path), patience);
  }
  Request(Request&& other) noexcept : path_(std::exchange(other.path_, {})), patience_(other.patience_) {}
  Request& operator=(Request&&) = delete;
  Request(const Request&) = delete;
  Request& operator=(const Request&) = delete;
  ~Request() {
    if (path_.empty()) return;
    const auto deadline = Deadline::after(patience_);
    while (::rmdir(path_.c_str()) != 0) {
      const bool passing = errno == ENOTEMPTY || errno == EBUSY;
      if (!passing || deadline.expired()) {
        spdlog::warn("{}", errno_error("cannot remove the attestation request", path_).message());
        return;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }

  [[nodiscard]] Result<std::string> text(std::string_view file) const {
    return read_attestation_text(path_ / file, Deadline::after(patience_));
  }
  [[nodiscard]] Result<std::uint64_t> number(std::string_view file) const {
    TCFDL_ASSIGN(const auto digits, text(file));
    std::uint64_t value = 0;
    const auto* end = digits.data() + digits.size();
    const auto parsed = std::from_chars(digits.data(), end, value);
    if (parsed.ec == std::errc() && parsed.ptr == end) return value;
    return make_error(Code::kInternal, "{} holds '{}', which is no number", (path_ / file).string(), digits);
  }
  [[nodiscard]] Result<Bytes> blob(std::string_view file) const {
    return read_attestation_file(path_ / file, kLargestBlob, Deadline::after(patience_));
  }
  [[nodiscard]] Status write(std::string_view file, BytesView content) const {
    return write_attestation_file(path_ / file, content);
  }

private:
  Request(std::filesystem::path path, std::chrono::milliseconds patience)
      : path_(std::move(path)), patience_(patience) {}

  std::filesystem::path path_;
  std::chrono::milliseconds patience_;
};

Status set_privilege_level(const Request& request, unsigned level) {
  TCFDL_ASSIGN(const auto floor, request.number("privlevel_floor"));
  if (level < floor || level > 3) {
    return make_error(Code::kFailedPrecondition, "privilege level {} is not from {} to 3, which this guest may state",
                      level, floor);
  }
  return request.write("privlevel", as_bytes(fmt::format("{}", level)));
}

Result<std::string> tee_kind_of(std::string_view provider) {
  if (provider == kTdxGuest) return std::string("tdx");
  if (provider == kSnpGuest) return std::string("snp");
  return make_error(Code::kFailedPrecondition, "the kernel's attestation is of provider '{}'; known are {} and {}",
                    provider, kTdxGuest, kSnpGuest);
}

} // namespace

Result<std::unique_ptr<TsmAttester>> TsmAttester::open(TsmSettings settings) {
  if (std::filesystem::is_directory(settings.root)) {
    return std::unique_ptr<TsmAttester>(new TsmAttester(std::move(settings)));
  }
  return make_error(
      Code::kFailedPrecondition,
      "there is no directory {}: this is no confidential VM, its kernel is older than Linux 6.7, configfs "
      "is not mounted (mount -t configfs none /sys/kernel/config), or the module tdx-guest or sev-guest "
      "is not loaded; `tcfdl doctor` tells which. Or configure another tee",
      settings.root.string());
}

Result<wire::Evidence> TsmAttester::attest(BytesView report_data) {
  TCFDL_TRY(check_report_data_size(report_data));
  for (int attempt = 1;; ++attempt) {
    auto evidence = attest_once(report_data);
    if (evidence || evidence.error().code() != Code::kAborted || attempt == kAttempts) return evidence;
  }
}

Result<wire::Evidence> TsmAttester::attest_once(BytesView report_data) const {
  TCFDL_ASSIGN(const auto request, Request::make(settings_.root, settings_.patience));
  TCFDL_ASSIGN(const auto provider, request.text("provider"));
  wire::Evidence evidence;
  TCFDL_ASSIGN(*evidence.mutable_tee_kind(), tee_kind_of(provider));
  TCFDL_ASSIGN(const auto before, request.number("generation"));
  std::uint64_t writes = 1;
  if (settings_.privilege_level && provider == kSnpGuest) {
    TCFDL_TRY(set_privilege_level(request, *settings_.privilege_level));
    ++writes;
  }
  TCFDL_TRY(request.write("inblob", report_data));
  TCFDL_ASSIGN(const auto report, request.blob("outblob"));
  if (provider == kSnpGuest) {
    const auto table = request.blob("auxblob"); // hosts may have loaded no certificates
    if (table) evidence.set_certificates(wire::field(*table));
  }
  TCFDL_ASSIGN(const auto after, request.number("generation"));
  if (after != before + writes) {
    return make_error(Code::kAborted, "the attestation request was written {} times, not {}: something else uses it",
                      after - before, writes);
  }
  TCFDL_TRY(check_bound(report, report_data_at(provider, report), report_data, "the report"));
  evidence.set_report(wire::field(report));
  return evidence;
}

std::string TsmAttester::description() const {
  return fmt::format("confidential VM, reports of {}", settings_.root.string());
}

} // namespace tcfdl::tee
