// Where a program is that is named as in a shell.
#pragma once

#include "base/result.hpp"

#include <string>

namespace tcfdl {

/// A name with a slash as it is; others by PATH, then the usual directories of programs, whatever PATH says. NOT_FOUND
/// or PERMISSION_DENIED, with the name, where nothing of that name can be executed.
Result<std::string> find_program(const std::string& name);

} // namespace tcfdl
