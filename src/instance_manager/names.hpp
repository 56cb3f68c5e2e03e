// Names of instances and their secrets.
#pragma once

#include "base/ids.hpp"

namespace tcfdl::instance_manager {

/// 1 to 160 characters of `[a-z0-9._-]`, first alphanumeric: safe as a file's name. INVALID_ARGUMENT otherwise.
Status check_instance_id(const std::string& text);

/// 256 random bits in hexadecimal.
std::string make_token();

/// Uniform in [0, 1); for jitter.
double random_unit();

} // namespace tcfdl::instance_manager
