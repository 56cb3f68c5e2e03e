// What text/detect and text/recognise do with a body, apart from how they are called.
#pragma once

#include "detection.hpp"
#include "recognition.hpp"

#include <tcfdl/bytes.hpp>

namespace plates {

/// An encoded image to the boxes of its lines of text.
tcfdl::Result<tcfdl::Bytes> detect_text(const TextDetector& detector, tcfdl::BytesView image);

/// An encoded image of one line to its text.
tcfdl::Result<tcfdl::Bytes> recognise_text(const TextRecogniser& recogniser, tcfdl::BytesView image);

} // namespace plates
