// The command line `tcfdl`.
#pragma once

namespace tcfdl::cli {

/// Parses and runs one command. The exit code: 0 done, 1 an error (one line `tcfdl: CODE: message` on standard error,
/// with
/// --json also a problem object on standard output), 2 a command line that is wrong.
int run(int argc, char** argv);

} // namespace tcfdl::cli
