// Takes fields from the front of bytes that nobody checked yet, never beyond their end.
#pragma once

#include "base/result.hpp"

#include <tcfdl/bytes.hpp>

namespace tcfdl::attestation {

class ByteReader {
public:
  explicit ByteReader(BytesView bytes) : rest_(bytes) {}

  /// The next `size` bytes. INVALID_ARGUMENT names `what` if there are fewer.
  Result<BytesView> take(std::size_t size, std::string_view what) {
    if (size > rest_.size()) {
      return make_error(Code::kInvalidArgument, "{} needs {} bytes, {} are left", what, size, rest_.size());
    }
    const auto taken = rest_.first(size);
    rest_ = rest_.subspan(size);
    return taken;
  }

  /// An unsigned number of 1 to 8 bytes, little endian.
  Result<std::uint64_t> number(std::size_t size, std::string_view what) {
    TCFDL_ASSIGN(const auto bytes, take(size, what));
    std::uint64_t value = 0;
    for (std::size_t at = bytes.size(); at > 0; --at) value = value << 8U | bytes[at - 1];
    return value;
  }

  /// The bytes whose length stands before them in `length_size` bytes.
  Result<BytesView> sized(std::size_t length_size, std::string_view what) {
    TCFDL_ASSIGN(const auto size, number(length_size, what));
    return take(size, what);
  }

  [[nodiscard]] BytesView rest() const noexcept { return rest_; }

private:
  BytesView rest_;
};

} // namespace tcfdl::attestation
