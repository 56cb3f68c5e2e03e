// Lines in the errors of configuration files.
#pragma once

#include "base/result.hpp"

#include <string>

namespace tcfdl::cli {

/// The error of a ConfigMapping that read `text` as `where`, with the line of the key that it names: `where:LINE: …`.
/// Unchanged when no line is to be found.
Error with_line(const Error& error, const std::string& text, const std::string& where);

} // namespace tcfdl::cli
