#include "attestation/intel_tcb.hpp"

#include <algorithm>

namespace tcfdl::attestation {
namespace {

constexpr std::array<std::string_view, 7> kNames = {"UpToDate",
                                                    "SWHardeningNeeded",
                                                    "ConfigurationNeeded",
                                                    "ConfigurationAndSWHardeningNeeded",
                                                    "OutOfDate",
                                                    "OutOfDateConfigurationNeeded",
                                                    "Revoked"};

bool reaches(BytesView has, BytesView wanted) { return std::ranges::equal(has, wanted, std::ranges::greater_equal()); }

bool wants_configuration(TcbStatus status) {
  return status == TcbStatus::kConfigurationNeeded || status == TcbStatus::kConfigurationAndSwHardeningNeeded;
}

/// The version of the TDX module.
unsigned module_version(BytesView tee_tcb_svn) { return tee_tcb_svn[1]; }

} // namespace

std::string_view name_of(TcbStatus status) noexcept { return kNames.at(static_cast<std::size_t>(status)); }

Result<TcbStatus> parse_tcb_status(std::string_view name) {
  const auto found = std::ranges::find(kNames, name);
  if (found != kNames.end()) return static_cast<TcbStatus>(found - kNames.begin());
  return make_error(Code::kInvalidArgument, "'{}' is no TCB status that is known", name.substr(0, 40));
}

TcbStatus worse(TcbStatus left, TcbStatus right) noexcept {
  const auto [best, worst] = std::minmax(left, right);
  if (worst == TcbStatus::kOutOfDate && wants_configuration(best)) return TcbStatus::kOutOfDateConfigurationNeeded;
  return worst;
}

const PlatformLevel* match_platform(const std::vector<PlatformLevel>& levels, const PckFacts& pck,
                                    BytesView tee_tcb_svn) {
  const bool tdx = tee_tcb_svn.size() == 16;
  const std::size_t skipped = tdx && module_version(tee_tcb_svn) > 0 ? 2 : 0;
  const auto fits = [&](const PlatformLevel& level) {
    return reaches(pck.components, level.sgx) && pck.pcesvn >= level.pcesvn &&
           (!tdx || reaches(tee_tcb_svn.subspan(skipped), BytesView(level.tdx).subspan(skipped)));
  };
  const auto found = std::ranges::find_if(levels, fits);
  return found == levels.end() ? nullptr : &*found;
}

const SvnLevel* match_svn(const std::vector<SvnLevel>& levels, std::uint64_t isv_svn) {
  const auto found = std::ranges::find_if(levels, [&](const auto& level) { return isv_svn >= level.isv_svn; });
  return found == levels.end() ? nullptr : &*found;
}

const ModuleIdentity* match_module(const TcbInfo& info, BytesView tee_tcb_svn) {
  const auto version = module_version(tee_tcb_svn);
  if (version == 0) return info.module ? &*info.module : nullptr;
  const auto lower = fmt::format("TDX_{:02x}", version);
  const auto upper = fmt::format("TDX_{:02X}", version);
  const auto found = std::ranges::find_if(
      info.modules, [&](const auto& identity) { return identity.id == lower || identity.id == upper; });
  return found == info.modules.end() ? nullptr : &*found;
}

bool equal_masked(BytesView value, BytesView wanted, BytesView mask) noexcept {
  if (value.size() != wanted.size() || value.size() != mask.size()) return false;
  for (std::size_t at = 0; at < mask.size(); ++at) {
    if (((value[at] ^ wanted[at]) & mask[at]) != 0) return false;
  }
  return true;
}

} // namespace tcfdl::attestation
