// Bodies and results of tasks from and to where the command line says.
#pragma once

#include "base/result.hpp"

#include <string>
#include <tcfdl/bytes.hpp>

namespace tcfdl::cli {

/// Of a file of 1 GiB at most; `-` is standard input.
Result<Bytes> read_body(const std::string& in);

/// Devices and pipes are written to, files replaced as a whole; `-` is standard output.
Status write_body(const std::string& out, BytesView body);

} // namespace tcfdl::cli
