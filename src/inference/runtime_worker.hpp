// The work of `tcfdl-inference`.
#pragma once

namespace tcfdl::inference {

/// Reads one request from standard input, does it and writes the answer. The exit code: 1 where it failed.
int serve_runtime_request();

} // namespace tcfdl::inference
