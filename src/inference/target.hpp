// For which machines a model was optimised.
#pragma once

#include "base/result.hpp"

namespace tcfdl::inference {

struct Target {
  std::string runtime;         ///< ONNX Runtime's version
  std::string instruction_set; ///< as of `instruction_set()`
  friend bool operator==(const Target&, const Target&) = default;
};

/// FAILED_PRECONDITION where stages of a plan would compute other bits here.
Status check_target(const Target& planned, const Target& here);

} // namespace tcfdl::inference
