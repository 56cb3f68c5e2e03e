#include "service_manager/authority/grants.hpp"

#include "base/ids.hpp"
#include "wire/topic.hpp"

#include <set>

namespace tcfdl::service_manager::authority {
namespace {

constexpr std::size_t kMostGrants = 256;

Status check_grant(std::string_view grant) {
  if (grant.empty()) return Error(Code::kInvalidArgument, "grants: an empty one; '*' stands for all functions");
  for (const auto beginning : {wire::kPublishGrant, wire::kSubscribeGrant}) {
    if (!grant.starts_with(beginning)) continue;
    grant.remove_prefix(beginning.size());
    break;
  }
  if (grant.empty()) return Error(Code::kInvalidArgument, "grants: one that names no topic; '*' stands for all");
  if (grant.ends_with('*')) grant.remove_suffix(1);
  if (grant.ends_with('/')) grant.remove_suffix(1);
  if (grant.empty()) return {};
  const auto checked = parse_function_name(grant);
  return checked ? Status() : checked.error().within("grants: the part before '*'");
}

} // namespace

Status check_grants(const std::vector<std::string>& grants) {
  if (grants.size() > kMostGrants) return make_error(Code::kInvalidArgument, "more than {} grants", kMostGrants);
  for (const auto& grant : grants) TCFDL_TRY(check_grant(grant));
  return {};
}

Result<std::vector<std::string>> changed_grants(const std::vector<std::string>& grants,
                                                const std::vector<std::string>& add,
                                                const std::vector<std::string>& remove) {
  TCFDL_TRY(check_grants(add));
  std::set<std::string> changed(grants.begin(), grants.end());
  for (const auto& grant : remove) {
    if (changed.erase(grant) > 0) continue;
    return make_error(Code::kNotFound, "it has no grant '{}'; it has: {}", grant, fmt::join(grants, " "));
  }
  changed.insert(add.begin(), add.end());
  std::vector<std::string> result(changed.begin(), changed.end());
  TCFDL_TRY(check_grants(result));
  return result;
}

} // namespace tcfdl::service_manager::authority
