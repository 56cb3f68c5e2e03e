// What clients may call: names of functions, or prefixes before a final `*`.
#pragma once

#include "base/result.hpp"

#include <string>
#include <vector>

namespace tcfdl::service_manager::authority {

/// INVALID_ARGUMENT names the grant that is none, or says that they are too many.
Status check_grants(const std::vector<std::string>& grants);

/// `grants` with `add` and without `remove`, sorted. NOT_FOUND for one to remove that is not there by itself: a prefix
/// that covers it is removed as it was given.
Result<std::vector<std::string>> changed_grants(const std::vector<std::string>& grants,
                                                const std::vector<std::string>& add,
                                                const std::vector<std::string>& remove);

} // namespace tcfdl::service_manager::authority
