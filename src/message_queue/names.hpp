// Which subjects, buckets and keys are well formed. Names reach the wire protocol as text, so each is checked first.
#pragma once

#include "base/result.hpp"

namespace tcfdl::message_queue {

/// A subject to publish to: at most 255 characters, tokens of visible ASCII joined by `.`, no wildcards.
/// INVALID_ARGUMENT says what is wrong.
Status check_subject(std::string_view subject);

/// A subject to subscribe to: as above, a token may be `*` and the last one `>`.
Status check_filter(std::string_view filter);

/// A key-value bucket: 1 to 64 of `[A-Za-z0-9_-]`.
Status check_bucket(std::string_view bucket);

/// A key: 1 to 200 of `[A-Za-z0-9_=/-]` and `.`, which neither begins, ends nor doubles.
Status check_key(std::string_view key);

} // namespace tcfdl::message_queue
