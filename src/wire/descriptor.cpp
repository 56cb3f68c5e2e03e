#include "wire/descriptor.hpp"

#include "wire/signed.hpp"

#include <limits>

namespace tcfdl::wire {

Result<Descriptor> check_descriptor(const Signed& unverified) {
  if (unverified.statement().size() > kMaxDescriptor) {
    return make_error(Code::kInvalidArgument, "the descriptor has {} bytes; {} are allowed",
                      unverified.statement().size(), kMaxDescriptor);
  }
  TCFDL_ASSIGN(auto descriptor, verify_descriptor(unverified));
  const auto refuse = [&](std::string_view why) {
    return make_error(Code::kInvalidArgument, "the descriptor of {}: {}", descriptor.name(), why);
  };
  constexpr auto kLastVersion = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  if (descriptor.version() == 0 || descriptor.version() > kLastVersion)
    return refuse("version is not from 1 to 2^63-1");
  if (descriptor.measurement().size() != crypto::kSha256Size) return refuse("measurement has not 32 bytes");
  if (descriptor.tee_kinds().empty()) return refuse("tee_kinds is empty, so nothing may run it");
  if (descriptor.assurance().empty()) return refuse("assurance is empty, so nothing may process its tasks");
  if (descriptor.providers().empty()) return refuse("providers is empty; '*' admits every cluster");
  for (const auto& protection : descriptor.protections()) {
    if (protection != "eae" && protection != "hse" && protection != "none") {
      return refuse("protections are 'eae', 'hse' and 'none'");
    }
  }
  return descriptor;
}

bool admits_provider(const Descriptor& descriptor, std::string_view cluster) {
  return contains_text(descriptor.providers(), "*") || contains_text(descriptor.providers(), cluster);
}

} // namespace tcfdl::wire
