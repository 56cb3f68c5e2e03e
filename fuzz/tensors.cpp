// Messages with tensors and NumPy arrays: never crash, and a message that is taken is written as it was read.
#include "inference/model_inputs.hpp"
#include "inference/tensor.hpp"

#include <algorithm>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tcfdl;
  const BytesView message(data, size);
  (void)inference::parse_npy(message);
  const auto tensors = inference::parse_tensors(message);
  if (tensors && !std::ranges::equal(inference::write_tensors(*tensors), message)) std::abort();
  return 0;
}
