// The function text/detect: an image to the boxes of its lines of text.
#include "handlers.hpp"
#include "settings.hpp"

#include <fmt/core.h>
#include <tcfdl/function.hpp>

int main() {
  // The networks may be confidential files of the bundle.
  if (const auto ready = tcfdl::prepare(); !ready) {
    fmt::print(stderr, "plates-text-detect: {}\n", ready.error().to_string());
    return 1;
  }
  const auto detector = plates::load_from_environment<plates::TextDetector>();
  if (!detector) {
    fmt::print(stderr, "plates-text-detect: {}\n", detector.error().to_string());
    return 1;
  }
  return tcfdl::serve(
      [&](tcfdl::TaskContext&, tcfdl::BytesView image) { return plates::detect_text(*detector, image); });
}
