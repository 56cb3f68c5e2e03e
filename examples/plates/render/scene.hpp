// Plates as a camera sees them: small, turned, in perspective, blurred, noisy and compressed.
#pragma once

#include "plate.hpp"

#include <tcfdl/bytes.hpp>

namespace plates {

struct Scene {
  std::string name; ///< a file's name, with .png or .jpg
  std::string text; ///< the plate's lines, joined by a space
  tcfdl::Bytes encoded;
};

/// The scenes 0 to `count` - 1 of a seed; a scene depends on the seed and its number only.
tcfdl::Result<std::vector<Scene>> render_scenes(const std::vector<Font>& fonts, std::size_t count, std::uint64_t seed);

/// The letters and digits of a text, upper case: what is compared, since spaces and dashes differ between countries and
/// a recogniser cannot see how wide a gap was meant to be.
std::string comparable(std::string_view text);

} // namespace plates
