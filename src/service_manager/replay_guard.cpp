#include "service_manager/replay_guard.hpp"

namespace tcfdl::service_manager {
namespace {

constexpr std::size_t kMostRemembered = 100'000;
constexpr std::size_t kFirstHalf = 4; // after SEQUENCE, its length, INTEGER and the length of r

/// r of a DER signature that was verified, hence is well-formed: 0x30 length 0x02 length r ….
BytesView first_half(BytesView signature) {
  if (signature.size() <= kFirstHalf) return signature;
  return signature.subspan(kFirstHalf, std::min<std::size_t>(signature[3], signature.size() - kFirstHalf));
}

} // namespace

Status ReplayGuard::admit(BytesView signature, UnixSeconds now) {
  const auto id = crypto::sha256(first_half(signature));
  return seen_.with([&](auto& seen) -> Status {
    std::erase_if(seen, [now](const auto& entry) { return entry.second < now; });
    if (seen.contains(id)) return Error(Code::kAlreadyExists, "the request was received before; sign it anew");
    if (seen.size() >= kMostRemembered) return Error(Code::kResourceExhausted, "too many requests; try again later");
    seen.emplace(id, now + window_);
    return {};
  });
}

} // namespace tcfdl::service_manager
