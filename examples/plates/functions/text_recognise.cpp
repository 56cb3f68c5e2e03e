// The function text/recognise: an image of one line of text to the text.
#include "handlers.hpp"
#include "settings.hpp"

#include <fmt/core.h>
#include <tcfdl/function.hpp>

int main() {
  // The networks may be confidential files of the bundle.
  if (const auto ready = tcfdl::prepare(); !ready) {
    fmt::print(stderr, "plates-text-recognise: {}\n", ready.error().to_string());
    return 1;
  }
  const auto recogniser = plates::load_from_environment<plates::TextRecogniser>();
  if (!recogniser) {
    fmt::print(stderr, "plates-text-recognise: {}\n", recogniser.error().to_string());
    return 1;
  }
  return tcfdl::serve(
      [&](tcfdl::TaskContext&, tcfdl::BytesView image) { return plates::recognise_text(*recogniser, image); });
}
