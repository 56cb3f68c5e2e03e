// Text by format strings. Includes fmt and keeps the body of its formatter, with every way to write a floating-point
// number, in libfmt: without this declaration each file that logs compiles a copy of it, for twice the time.
#pragma once

#include <fmt/format.h>

FMT_BEGIN_NAMESPACE
FMT_BEGIN_DETAIL_NAMESPACE
extern template void vformat_to<char>(buffer<char>&, basic_string_view<char>,
                                      basic_format_args<FMT_BUFFER_CONTEXT(char)>, locale_ref);
FMT_END_DETAIL_NAMESPACE
FMT_END_NAMESPACE
