// Epochs of the functions' keys: raised on demand or by the owner, erased when their overlap has ended.
#include "base/log.hpp"
#include "service_manager/authority/authority.hpp"
#include "service_manager/authority/operations.hpp"
#include "service_manager/operations.pb.h"
#include "wire/descriptor.hpp"
#include "wire/topic.hpp"

#include <limits>

namespace tcfdl::service_manager {
namespace {

constexpr std::int64_t kLongestOverlap = 24L * 3600; // seconds

constexpr const char* kUnusedContentKeys =
    "SELECT function, version FROM content_keys AS kept WHERE "
    "NOT EXISTS (SELECT 1 FROM providers WHERE providers.function = kept.function) OR "
    "version < (SELECT version FROM functions WHERE functions.function = kept.function)";

/// Messages of a topic need the keys of their epoch as long as they are kept.
std::int64_t overlap_of(const wire::Descriptor& descriptor, std::int64_t wanted) {
  return std::max(wanted, wire::topic_capsule_life(descriptor));
}

} // namespace

Status Authority::raise_epoch(const std::string& function, std::uint32_t epoch, std::uint32_t retired,
                              std::int64_t until) {
  FunctionEpochRaised raised;
  raised.set_function(function);
  raised.set_epoch(epoch);
  raised.set_retired(retired);
  raised.set_until(until);
  TCFDL_TRY(parts_.log.append(raised));
  spdlog::info("keys of {}: epoch {} is in force, epoch {} ends at {}", function, epoch, retired, until);
  return {};
}

Status Authority::put_epoch_in_force(wire::Descriptor& descriptor) {
  const auto& name = descriptor.name();
  return parts_.database.transaction([&]() -> Status {
    TCFDL_ASSIGN(const auto raised, authority::raised_epoch(parts_.database, name));
    if (raised && *raised >= descriptor.epoch()) {
      descriptor.set_epoch(*raised);
      return {};
    }
    // The owner has raised it since: what was in force before ends like any other epoch.
    TCFDL_ASSIGN(
        const auto before,
        parts_.database.query_one("SELECT max(epoch), count(*) FROM function_keys WHERE function = ? AND epoch < ?",
                                  {name, std::int64_t{descriptor.epoch()}},
                                  [](const database::Row& row) { return std::pair(row.integer(0), row.integer(1)); }));
    if (!before || before->second == 0) return {};
    return raise_epoch(name, descriptor.epoch(), static_cast<std::uint32_t>(before->first),
                       parts_.clock.now() + overlap_of(descriptor, settings_.overlap));
  });
}

Result<wire::RotatedKey> Authority::rotate_key(const wire::RotateKey& request, const std::string& cluster) {
  const auto overlap = request.overlap() == 0 ? settings_.overlap : request.overlap();
  if (overlap < 1 || overlap > kLongestOverlap) {
    return make_error(Code::kInvalidArgument, "overlap: {} seconds; 1 to {} are allowed", overlap, kLongestOverlap);
  }
  TCFDL_ASSIGN(const auto name, parse_function_name(request.function()));
  TCFDL_ASSIGN(const auto current, parts_.registry.current_descriptor(name.str()));
  TCFDL_ASSIGN(auto descriptor, wire::check_descriptor(current));
  TCFDL_ASSIGN(const auto provides, parts_.registry.provides(cluster, name.str()));
  if (!provides) {
    return make_error(Code::kPermissionDenied, "cluster {} does not provide {}; its keys are rotated where it is",
                      cluster, name.str());
  }
  TCFDL_TRY(put_epoch_in_force(descriptor));
  if (descriptor.epoch() == std::numeric_limits<std::uint32_t>::max()) {
    return Error(Code::kOutOfRange, "there is no epoch after this one");
  }
  wire::RotatedKey rotated;
  rotated.set_epoch(descriptor.epoch() + 1);
  rotated.set_until(parts_.clock.now() + overlap_of(descriptor, overlap));
  TCFDL_TRY(raise_epoch(name.str(), rotated.epoch(), descriptor.epoch(), rotated.until()));
  for (const auto& assurance : descriptor.assurance()) {
    TCFDL_TRY(keys_->function_key({.function = name.str(), .assurance = assurance, .epoch = rotated.epoch()}));
  }
  return rotated;
}

Result<std::size_t> Authority::erase_retired_keys() {
  std::vector<FunctionKeysErased> over;
  TCFDL_TRY(parts_.database.query("SELECT function, epoch FROM retired_epochs WHERE until <= ?", {parts_.clock.now()},
                                  [&](const database::Row& row) -> Status {
                                    auto& erased = over.emplace_back();
                                    erased.set_function(row.text(0));
                                    erased.set_epoch(static_cast<std::uint32_t>(row.integer(1)));
                                    return {};
                                  }));
  std::vector<ContentKeyErased> unused;
  TCFDL_TRY(parts_.database.query(kUnusedContentKeys, {}, [&](const database::Row& row) -> Status {
    auto& erased = unused.emplace_back();
    erased.set_function(row.text(0));
    erased.set_version(static_cast<std::uint64_t>(row.integer(1)));
    return {};
  }));
  if (over.empty() && unused.empty()) return std::size_t{0};
  for (const auto& erased : over) {
    TCFDL_TRY(parts_.log.append(erased));
    spdlog::info("keys of {}: those of epoch {} are erased", erased.function(), erased.epoch());
  }
  for (const auto& erased : unused) {
    TCFDL_TRY(parts_.log.append(erased));
    spdlog::info("the content key of {} version {} is erased", erased.function(), erased.version());
  }
  // The pages as they were are in the write-ahead log until then.
  TCFDL_TRY(parts_.database.execute("PRAGMA wal_checkpoint(TRUNCATE)"));
  return over.size() + unused.size();
}

} // namespace tcfdl::service_manager
