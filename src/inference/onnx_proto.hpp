// ONNX's protobuf, from Debian's libonnx. Internal: what includes it links it.
#pragma once

#include <onnx/onnx_pb.h>
