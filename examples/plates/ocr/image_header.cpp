#include "image.hpp"

#include <algorithm>
#include <optional>
#include <string_view>

namespace plates {
namespace {

using tcfdl::BytesView;
using tcfdl::Code;
using tcfdl::Error;
using tcfdl::Result;

bool starts_with(BytesView bytes, std::string_view prefix) { return tcfdl::as_text(bytes).starts_with(prefix); }

// Big- and little-endian numbers at an offset that lies within the bytes.
std::uint32_t big(BytesView bytes, std::size_t at, unsigned count) {
  std::uint32_t value = 0;
  for (unsigned i = 0; i < count; ++i) value = (value << 8U) | bytes[at + i];
  return value;
}

std::uint32_t little(BytesView bytes, std::size_t at, unsigned count) {
  std::uint32_t value = 0;
  for (unsigned i = count; i-- > 0;) value = (value << 8U) | bytes[at + i];
  return value;
}

Error cut(std::string_view format) {
  return {Code::kInvalidArgument, "the " + std::string(format) + " image is cut off or damaged"};
}

// Frame headers are the markers C0 to CF without the tables C4, C8 and CC (ITU-T T.81, table B.1).
bool is_frame_header(unsigned marker) {
  return marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
}

bool is_standalone(unsigned marker) { return marker == 0x01 || (marker >= 0xD0 && marker <= 0xD8); }

bool ends_after(BytesView bytes, std::size_t scan) {
  return tcfdl::as_text(bytes.subspan(scan)).rfind("\xFF\xD9") != std::string_view::npos;
}

Result<ImageSize> jpeg_size(BytesView bytes) {
  std::optional<ImageSize> size;
  for (std::size_t at = 2; at + 4 <= bytes.size();) {
    if (bytes[at] != 0xFF) return cut("JPEG");
    const unsigned marker = bytes[at + 1];
    if (marker == 0xFF || is_standalone(marker)) {
      at += marker == 0xFF ? 1 : 2;
      continue;
    }
    const std::size_t length = big(bytes, at + 2, 2);
    if (length < 2 || at + 2 + length > bytes.size()) return cut("JPEG");
    if (is_frame_header(marker) && length >= 8) size = ImageSize{big(bytes, at + 7, 2), big(bytes, at + 5, 2)};
    if (marker == 0xDA) {
      if (!size || !ends_after(bytes, at)) return cut("JPEG");
      return *size;
    }
    at += 2 + length;
  }
  return cut("JPEG");
}

Result<ImageSize> png_size(BytesView bytes) {
  if (bytes.size() < 24) return cut("PNG");
  return ImageSize{big(bytes, 16, 4), big(bytes, 20, 4)};
}

Result<ImageSize> bmp_size(BytesView bytes) {
  if (bytes.size() < 26) return cut("BMP");
  if (little(bytes, 14, 4) == 12) return ImageSize{little(bytes, 18, 2), little(bytes, 20, 2)};
  const auto height = static_cast<std::int32_t>(little(bytes, 22, 4)); // negative: rows from the top
  return ImageSize{little(bytes, 18, 4), static_cast<std::uint32_t>(height < 0 ? -std::int64_t{height} : height)};
}

// The three forms of WebP's first chunk (RFC 9649, section 2.5 to 2.7).
Result<ImageSize> webp_size(BytesView bytes) {
  if (bytes.size() < 30 || little(bytes, 4, 4) + std::uint64_t{8} > bytes.size()) return cut("WebP");
  const auto chunk = tcfdl::as_text(bytes.subspan(12, 4));
  if (chunk == "VP8X") return ImageSize{little(bytes, 24, 3) + 1, little(bytes, 27, 3) + 1};
  if (chunk == "VP8 ") return ImageSize{little(bytes, 26, 2) & 0x3FFFU, little(bytes, 28, 2) & 0x3FFFU};
  if (chunk != "VP8L") return cut("WebP");
  const auto bits = little(bytes, 21, 4);
  return ImageSize{(bits & 0x3FFFU) + 1, ((bits >> 14U) & 0x3FFFU) + 1};
}

} // namespace

Result<ImageSize> stated_size(BytesView encoded) {
  if (starts_with(encoded, "\x89PNG\r\n\x1A\n")) return png_size(encoded);
  if (starts_with(encoded, "\xFF\xD8")) return jpeg_size(encoded);
  if (starts_with(encoded, "BM")) return bmp_size(encoded);
  if (starts_with(encoded, "RIFF") && encoded.size() >= 12 && tcfdl::as_text(encoded.subspan(8, 4)) == "WEBP") {
    return webp_size(encoded);
  }
  return Error(Code::kInvalidArgument, "the body is no PNG, JPEG, BMP or WebP image");
}

} // namespace plates
