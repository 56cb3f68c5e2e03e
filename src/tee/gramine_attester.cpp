#include "tee/gramine_attester.hpp"

#include "tee/attestation_file.hpp"

namespace tcfdl::tee {
namespace {

constexpr std::size_t kLargestQuote = 8192;
/// REPORTDATA of a quote of version 3: header of 48 bytes, then 320 bytes into the report body.
constexpr std::size_t kReportDataAt = 48 + 320;

Deadline at_once() { return Deadline(Deadline::Clock::now()); }

} // namespace

Result<std::unique_ptr<GramineAttester>> GramineAttester::open(std::filesystem::path root) {
  const auto file = root / "attestation_type";
  const auto type = read_attestation_text(file, at_once());
  if (!type && type.error().code() == Code::kNotFound) {
    return make_error(Code::kFailedPrecondition,
                      "there is no {}: this program does not run inside Gramine. Start it with gramine-sgx and the "
                      "manifest of `tcfdl tee manifest`, or configure another tee",
                      file.string());
  }
  if (!type) return type.error();
  if (*type == "dcap") return std::unique_ptr<GramineAttester>(new GramineAttester(std::move(root)));
  return make_error(Code::kFailedPrecondition,
                    "{} says '{}', wanted is 'dcap': put sgx.remote_attestation = \"dcap\" into the manifest and start "
                    "it with gramine-sgx",
                    file.string(), *type);
}

Result<wire::Evidence> GramineAttester::attest(BytesView report_data) {
  TCFDL_TRY(check_report_data_size(report_data));
  const std::scoped_lock lock(turn_);
  TCFDL_TRY(write_attestation_file(root_ / "user_report_data", report_data));
  TCFDL_ASSIGN(const auto quote, read_attestation_file(root_ / "quote", kLargestQuote, at_once()));
  TCFDL_TRY(check_bound(quote, kReportDataAt, report_data, "the quote"));
  wire::Evidence evidence;
  evidence.set_tee_kind("sgx");
  evidence.set_report(wire::field(quote));
  return evidence;
}

std::string GramineAttester::description() const {
  return fmt::format("SGX enclave under Gramine, quotes of {}", root_.string());
}

} // namespace tcfdl::tee
