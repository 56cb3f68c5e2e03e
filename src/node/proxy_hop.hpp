// A path through this node's TEE proxy: the daemon carries sealed records to it and from it.
#pragma once

#include "wire/address.hpp"
#include "wire/connection.hpp"

#include <memory>

namespace tcfdl::node {

/// Puts the proxy that listens at `proxy` before `onward`: what is sent on the connection that this returns, the proxy
/// opens, seals anew and sends on. A thread carries between proxy and `onward` until the returned connection goes.
/// UNAVAILABLE when the proxy cannot be reached.
Result<std::unique_ptr<wire::Connection>> through_proxy(const wire::Address& proxy,
                                                        std::unique_ptr<wire::Connection> onward, Deadline deadline);

} // namespace tcfdl::node
