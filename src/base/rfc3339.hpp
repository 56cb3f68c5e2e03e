// Times as text, in UTC to the second (RFC 3339): `2025-07-01T00:00:00Z`.
#pragma once

#include "base/clock.hpp"
#include "base/result.hpp"

namespace tcfdl {

/// Years 0 to 9999; the number of seconds for other years.
std::string to_rfc3339(UnixSeconds time);

/// Takes `Z` or an offset as `+02:00`, fractions of a second are cut off, a bare date is its first second in UTC.
/// INVALID_ARGUMENT for anything else, days that do not exist, and leap seconds.
Result<UnixSeconds> from_rfc3339(std::string_view text);

} // namespace tcfdl
