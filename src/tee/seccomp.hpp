// The filter of system calls that instances run under.
#pragma once

#include "base/result.hpp"

namespace tcfdl::tee {

/// The filter as the kernel takes it: an array of struct sock_filter. What is not listed fails with EPERM, calls newer
/// than this list with ENOSYS, as on an older kernel; calls that only an attack makes end the process with SIGSYS.
/// INTERNAL when libseccomp refuses a rule.
Result<std::string> make_system_call_filter();

} // namespace tcfdl::tee
