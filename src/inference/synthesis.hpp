// Models made up for tests and benchmarks.
#pragma once

#include "base/result.hpp"

#include <tcfdl/bytes.hpp>

namespace tcfdl::inference {

/// A MobileNet (v1, width 1, 224x224, 1000 classes) made larger by repeating its blocks, as the paper's case study
/// does.
struct MobileNetSettings {
  /// The block at 14x14x512 is there 5 times this, the last at 7x7x1024 once for each: about 10 MB of weights a step.
  unsigned scale = 1;
  /// The network's parameters are about this many times those of the original, by further such blocks; 0: as of
  /// `scale`.
  unsigned scale_parameters = 0;
  std::uint64_t seed = 1; ///< of the weights
};

constexpr unsigned kMostMobileNetScale = 64;

/// The model as an ONNX file, input `input` [1,3,224,224], output `scores` [1,1000]. Convolutions without bias, each
/// followed by a batch normalisation and ReLU6; weights normal with variance 2/fan-in (He et al. 2015). The same for
/// the same settings on every machine. INVALID_ARGUMENT for a scale of 0 or above `kMostMobileNetScale`.
Result<Bytes> make_mobilenet(const MobileNetSettings& settings);

/// A model that computes next to nothing of much: input `input`, so many float numbers, output `head`, the first 16.
Bytes make_idle_model(std::int64_t elements);

} // namespace tcfdl::inference
