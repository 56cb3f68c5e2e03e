// Signed functions from whoever sends them: what parses is held together by signature and measurement, and round-trips.
#include "wire/signed_function.hpp"

#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tcfdl;
  static auto* const kUnused = google::protobuf::SetLogHandler(nullptr);
  (void)kUnused;
  const auto function = wire::parse_signed_function({data, size});
  if (!function) return 0;
  if (as_text(wire::measure_manifest(as_bytes(function->manifest))) != function->descriptor.measurement()) std::abort();
  const auto text = wire::write_signed_function(*function);
  if (text.size() > wire::kMaxSignedFunction) return 0;
  const auto again = wire::parse_signed_function(as_bytes(text));
  if (!again || wire::write_signed_function(*again) != text) std::abort();
  return 0;
}
