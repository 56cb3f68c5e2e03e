// TCB levels of Intel platforms: which applies, and what it is called (Intel SGX and TDX Provisioning Certification
// Service API, "Get TCB Info" and "Enclave Identity", the sections on choosing a level).
#pragma once

#include "attestation/intel_pck.hpp"
#include "base/clock.hpp"

#include <optional>
#include <string>
#include <vector>

namespace tcfdl::attestation {

/// From best to worst.
enum class TcbStatus : std::uint8_t {
  kUpToDate,
  kSwHardeningNeeded,
  kConfigurationNeeded,
  kConfigurationAndSwHardeningNeeded,
  kOutOfDate,
  kOutOfDateConfigurationNeeded,
  kRevoked,
};

/// Intel's name, as `OutOfDate`.
std::string_view name_of(TcbStatus status) noexcept;
/// INVALID_ARGUMENT for a name that is not known.
Result<TcbStatus> parse_tcb_status(std::string_view name);

/// The worse of both; an outdated part of a platform that lacks a setting is `OutOfDateConfigurationNeeded`.
TcbStatus worse(TcbStatus left, TcbStatus right) noexcept;

using Components = std::array<std::uint8_t, 16>;

/// What is said of a level, besides which platforms it fits.
struct TcbVerdict {
  TcbStatus status = TcbStatus::kRevoked;
  std::vector<std::string> advisories;
  UnixSeconds date = 0;
};

struct PlatformLevel {
  Components sgx{};
  Components tdx{}; ///< TDX only
  std::uint16_t pcesvn = 0;
  TcbVerdict verdict;
};

/// A level of an enclave or of the TDX module.
struct SvnLevel {
  std::uint16_t isv_svn = 0;
  TcbVerdict verdict;
};

/// Who signed the TDX module, and what its attributes must be under the mask.
struct ModuleIdentity {
  std::string id; ///< `TDX_01`; empty for modules of version 0
  Bytes mr_signer;
  Bytes attributes;
  Bytes attributes_mask;
  std::vector<SvnLevel> levels;
};

/// TCB info: the levels of a family of platforms, best first.
struct TcbInfo {
  std::string id; ///< `SGX` or `TDX`
  UnixSeconds issued = 0;
  UnixSeconds next_update = 0;
  Bytes fmspc;
  Bytes pceid;
  std::uint64_t evaluation_number = 0;
  std::optional<ModuleIdentity> module; ///< TDX: version 0
  std::vector<ModuleIdentity> modules;  ///< TDX: later versions
  std::vector<PlatformLevel> levels;
};

/// What a quoting enclave must be.
struct QeIdentity {
  std::string id; ///< `QE` or `TD_QE`
  UnixSeconds issued = 0;
  UnixSeconds next_update = 0;
  std::uint64_t evaluation_number = 0;
  Bytes miscselect, miscselect_mask;
  Bytes attributes, attributes_mask;
  Bytes mr_signer;
  std::uint16_t isv_prod_id = 0;
  std::vector<SvnLevel> levels;
};

/// The first level whose every component the platform reaches; null if there is none. `tee_tcb_svn` is the TD report's,
/// empty for SGX. From module version 1 on its first two components are the module's own, so not compared here.
const PlatformLevel* match_platform(const std::vector<PlatformLevel>& levels, const PckFacts& pck,
                                    BytesView tee_tcb_svn);

/// The first level that `isv_svn` reaches; null if there is none.
const SvnLevel* match_svn(const std::vector<SvnLevel>& levels, std::uint64_t isv_svn);

/// The identity that the module with that TEE_TCB_SVN must have; null if there is none.
const ModuleIdentity* match_module(const TcbInfo& info, BytesView tee_tcb_svn);

/// Whether value & mask equals wanted & mask. False unless all have the same size.
bool equal_masked(BytesView value, BytesView wanted, BytesView mask) noexcept;

} // namespace tcfdl::attestation
