// Receipts from whoever hands them over: judged without a crash, with every check told of once, and accepted only when
// they are what was signed: the statements of the seeds are all that instances of this authority ever signed.
#include "wire/receipt.hpp"

#include <cstdlib>

namespace {

using namespace tcfdl;

constexpr UnixSeconds kNow = 1'800'000'000;
constexpr std::string_view kOnlyTask = "018f0000-0000-7000-8000-0000000000aa";
constexpr std::size_t kChecks = 17;

void judge(const wire::ReceiptQuestion& question, BytesView input, bool may_be_accepted) {
  const auto verdict = wire::verify_receipt(input, question);
  const auto made = verdict.passed().size() + verdict.reasons().size();
  if (made != kChecks && made != 1) std::abort();
  if (verdict.accepted() != verdict.outcome().has_value()) std::abort();
  if (!verdict.accepted()) return;
  if (!may_be_accepted || verdict.passed().size() != kChecks) std::abort();
  if (verdict.unverified_statement().task_id() != kOnlyTask) std::abort();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static auto* const kUnused = google::protobuf::SetLogHandler(nullptr);
  (void)kUnused;
  static const auto kAuthority = crypto::SigningKey::from_private_bytes(Bytes(32, 7)).value();
  static const auto kStranger = crypto::SigningKey::generate();
  for (const auto* authority : {&kAuthority, &kStranger}) {
    judge({.authority = authority->public_key(), .now = kNow, .input = as_bytes("in"), .output = as_bytes("out")},
          {data, size}, authority == &kAuthority);
  }
  return 0;
}
