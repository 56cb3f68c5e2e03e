#include "sdk/requests.hpp"

#include "wire/signed.hpp"

#include <fmt/ranges.h>

namespace tcfdl::sdk {

namespace {

constexpr std::string_view kTagLabel = "tcfdl/1/body-tag";

} // namespace

wire::Priority wire_priority(Priority priority) {
  switch (priority) {
  case Priority::kLow: return wire::PRIORITY_LOW;
  case Priority::kHigh: return wire::PRIORITY_HIGH;
  case Priority::kNormal: break;
  }
  return wire::PRIORITY_NORMAL;
}

Status check_offer(const wire::Descriptor& descriptor, const wire::LeaseGrant& offer, const std::string& function,
                   const std::string& least_class) {
  const auto refuse = [&](const std::string& why) {
    return make_error(Code::kPermissionDenied, "cluster {} offers {}: {}", offer.cluster(), function, why);
  };
  if (descriptor.name() != function) return refuse("its descriptor is of " + descriptor.name());
  if (!wire::admits_provider(descriptor, offer.cluster())) return refuse("its owner does not admit that cluster");
  if (!wire::contains_text(descriptor.assurance(), offer.assurance())) {
    return refuse(fmt::format("its owner does not admit the class '{}'", offer.assurance()));
  }
  if (!least_class.empty() && !wire::assurance_meets(offer.assurance(), least_class)) {
    return refuse(fmt::format("it is of class '{}'; the caller wants '{}'", offer.assurance(), least_class));
  }
  return {};
}

Status check_size(const wire::Descriptor& descriptor, std::uint64_t size) {
  if (descriptor.max_body() == 0 || size <= descriptor.max_body()) return {};
  return make_error(Code::kInvalidArgument, "the body has {} bytes; {} takes at most {}", size, descriptor.name(),
                    descriptor.max_body());
}

Status check_route(const CallOptions& options) {
  const auto& route = options.route;
  if (route.empty()) return {};
  if (route != "local" && route != "tcp" && route != "tls" && route != "relay") {
    return make_error(Code::kInvalidArgument, "there is no route '{}'; there are local, tcp, tls and relay", route);
  }
  if (options.protection != Protection::kHse) return {};
  return Error(Code::kInvalidArgument, "under hse a task goes through the proxies; it has no other route");
}

Status check_protection(const wire::Descriptor& descriptor, Protection protection) {
  const auto name = protection_name(protection);
  if (wire::contains_text(descriptor.protections(), name)) return {};
  return make_error(Code::kPermissionDenied, "{} does not admit protection '{}'; it admits {}", descriptor.name(), name,
                    fmt::join(descriptor.protections(), ", "));
}

std::string body_tag(const wire::SenderKey* key, std::string_view id, std::string_view name, BytesView body) {
  const auto secret = key == nullptr ? crypto::SecretBytes() : key->x.to_bytes();
  const auto prk = crypto::hkdf_extract(as_bytes(kTagLabel), {std::as_const(secret).span()});
  const auto digest = crypto::sha256(body);
  return wire::field(crypto::hmac_sha256(std::as_const(prk).span(), {as_bytes(id), as_bytes(name), digest}));
}

} // namespace tcfdl::sdk
