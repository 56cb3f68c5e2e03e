#include "handlers.hpp"

#include "image.hpp"
#include "wire.hpp"

namespace plates {

using tcfdl::Bytes;
using tcfdl::BytesView;
using tcfdl::Result;

Result<Bytes> detect_text(const TextDetector& detector, BytesView encoded) {
  TCFDL_ASSIGN(const auto image, decode_image(encoded));
  TCFDL_ASSIGN(auto boxes, detector.detect(image));
  return to_json(Detection{image.cols, image.rows, std::move(boxes)});
}

Result<Bytes> recognise_text(const TextRecogniser& recogniser, BytesView encoded) {
  TCFDL_ASSIGN(const auto image, decode_image(encoded));
  TCFDL_ASSIGN(const auto read, recogniser.recognise(image));
  return to_json(read);
}

} // namespace plates
