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

/// The error of an authority that cannot be asked now.
inline bool is_silent(const Error& error) {
  return error.code() == Code::kUnavailable || error.code() == Code::kDeadlineExceeded;
}

} // namespace tcfdl::tee_proxy
