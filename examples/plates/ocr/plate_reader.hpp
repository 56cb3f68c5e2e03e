// Reads a number plate through two other functions; no network runs here.
#pragma once

#include <functional>
#include <string>
#include <tcfdl/client.hpp>

namespace plates {

constexpr const char* kDetectFunction = "text/detect";
constexpr const char* kRecogniseFunction = "text/recognise";

/// Calls a function with a body. Called on several threads at once.
using CallFunction = std::function<tcfdl::Result<tcfdl::CallResult>(const std::string& function, tcfdl::BytesView)>;

/// An encoded image to the plate in it. INVALID_ARGUMENT when there is no readable text; errors of the calls keep their
/// codes.
tcfdl::Result<tcfdl::Bytes> read_plate(const CallFunction& call, tcfdl::BytesView image);

/// ASCII letters to upper case, other characters as they are, runs of spaces to one, none at the ends.
std::string normalised(std::string_view text);

} // namespace plates
