#include "attestation/findings.hpp"

#include <algorithm>

namespace tcfdl::attestation {

void Findings::refuse(std::string claim, std::string value, std::string wanted) {
  Reason reason{.claim = std::move(claim), .value = std::move(value), .wanted = std::move(wanted)};
  if (std::ranges::find(reasons_, reason) == reasons_.end()) reasons_.push_back(std::move(reason));
}

bool Findings::require(bool good, std::string claim, std::string value, std::string wanted) {
  if (!good) refuse(std::move(claim), std::move(value), std::move(wanted));
  return good;
}

bool Findings::require(const Status& status, std::string claim, std::string wanted) {
  if (!status) refuse(std::move(claim), status.error().message(), std::move(wanted));
  return status.has_value();
}

void Findings::set_appraised(std::string assurance) {
  assurance_ = std::move(assurance);
  appraised_ = !assurance_.empty();
}

Result<Claims> Findings::outcome() const {
  if (accepted()) return claims_;
  std::string text;
  for (const auto& reason : reasons_) {
    text += fmt::format("{}{}: {} (wanted: {})", text.empty() ? "" : "; ", reason.claim, reason.value, reason.wanted);
  }
  if (text.empty()) text = "the evidence was not checked to the end";
  return Error(Code::kPermissionDenied, std::move(text));
}

} // namespace tcfdl::attestation
