// The program tcfdl-stage.
#pragma once

namespace tcfdl::inference {

/// Provides the stage that the bundle in the working directory describes, until the platform ends it; the exit code.
int serve_stage();

} // namespace tcfdl::inference
