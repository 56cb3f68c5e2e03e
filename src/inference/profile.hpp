// What ONNX Runtime's profiler writes: times, order and tensors of each node.
#pragma once

#include "inference/tensor.hpp"

#include <map>

namespace tcfdl::inference {

struct NodeProfile {
  std::size_t order = 0;                ///< its place in the order of execution
  double time_us = 0;                   ///< median over the runs
  std::vector<TensorInfo> outputs = {}; ///< types and shapes of the tensors that it made, without names
};

/// By the node's name. The first run warms up and is left out of the times where there are more. INVALID_ARGUMENT for
/// what is no profile.
Result<std::map<std::string, NodeProfile>> parse_profile(BytesView text);

} // namespace tcfdl::inference
