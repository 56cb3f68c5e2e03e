// Points and quadrilaterals in an image, in pixels from its top left corner.
#pragma once

#include <array>
#include <opencv2/core/types.hpp>
#include <string>
#include <vector>

namespace plates {

struct Point {
  float x = 0;
  float y = 0;
};

/// Corners in the order top left, top right, bottom right, bottom left, as the text is read.
using Quad = std::array<Point, 4>;

/// Where a line of text stands in an image, and how sure the detector is of it, 0 to 1.
struct TextBox {
  Quad points;
  float score = 0;
};

/// A text that was read, and how sure the recogniser is of it: the mean over its characters, 0 to 1.
struct ReadText {
  std::string text;
  float confidence = 0;
};

/// Orders boxes as one reads: rows from the top, within a row from the left, both along the common direction of the
/// text. Boxes are of one row when their centres are less than half of the lower one's height apart.
void sort_in_reading_order(std::vector<TextBox>& boxes);

/// The corners of a rectangle in Quad's order.
Quad quad_of(const cv::RotatedRect& rectangle);

/// The smallest rectangle, turned as needed, around all corners. Precondition: not empty.
Quad enclosing_quad(const std::vector<Quad>& quads);

/// The lengths of the upper and the left edge.
float width_of(const Quad& quad);
float height_of(const Quad& quad);

} // namespace plates
