// Number plates as they leave the workshop: flat, sharp and clean.
#pragma once

#include "font.hpp"
#include "random.hpp"

#include <vector>

namespace plates {

/// Fonts in which every letter and digit that plates use looks different from every other.
tcfdl::Result<std::vector<Font>> load_fonts(const std::filesystem::path& directory);

/// A random plate's lines, one or two. Letters O, I and Q are left out: people mistake them for 0 and 1 too.
std::vector<std::string> random_plate_text(Random& random);

/// Draws a plate (CV_8UC3) with a border, around the text's lines.
cv::Mat draw_plate(const std::vector<std::string>& lines, const Font& font, Random& random);

} // namespace plates
