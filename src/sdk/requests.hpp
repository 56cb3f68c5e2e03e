// What calls and submitted tasks have in common before anything travels: is the offer good, will the function take it?
#pragma once

#include "wire/capsule.hpp"
#include "wire/descriptor.hpp"

#include <tcfdl/client.hpp>

namespace tcfdl::sdk {

wire::Priority wire_priority(Priority priority);

/// Holds an offer against the function as its owner describes it: what is asked for, in a class that owner and caller
/// admit, by a cluster that the owner admits. Whose the name is says the authority, beside a sender's key.
/// `least_class`: empty for any.
Status check_offer(const wire::Descriptor& descriptor, const wire::LeaseGrant& offer, const std::string& function,
                   const std::string& least_class);

/// Refuses a body that the function would refuse.
Status check_size(const wire::Descriptor& descriptor, std::uint64_t size);

/// INVALID_ARGUMENT for a route that there is not, and for one under `kHse`.
Status check_route(const CallOptions& options);

/// Refuses a protection that the instance would refuse.
Status check_protection(const wire::Descriptor& descriptor, Protection protection);

/// Tells the same body under the same id from another, to whoever cannot open it: keyed with what the sender alone has.
/// `name` is the function's or topic's; `key` null without protection.
std::string body_tag(const wire::SenderKey* key, std::string_view id, std::string_view name, BytesView body);

} // namespace tcfdl::sdk
