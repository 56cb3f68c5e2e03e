// What the proxy needs of its node's daemon.
#pragma once

#include "wire/messages.hpp"

namespace tcfdl::tee_proxy {

/// The way to the authority, which the proxy does not trust: every answer is checked.
class Authority {
public:
  virtual ~Authority() = default;
  virtual Result<wire::AuthorityReply> request(const wire::AuthorityRequest& request, Deadline deadline) = 0;
};

} // namespace tcfdl::tee_proxy
