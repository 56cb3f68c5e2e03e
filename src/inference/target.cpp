#include "inference/target.hpp"

#include "base/format.hpp"

namespace tcfdl::inference {

Status check_target(const Target& planned, const Target& here) {
  if (planned == here) return {};
  return make_error(
      Code::kFailedPrecondition,
      "the plan was made for ONNX Runtime {} on {}, this is {} on {}: its stages would compute other bits; plan the "
      "model anew on a machine like this one",
      planned.runtime, planned.instruction_set, here.runtime, here.instruction_set);
}

} // namespace tcfdl::inference
