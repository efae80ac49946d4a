// SPDX-License-Identifier: BSD-2-Clause
// The core's lines: formatted on the caller's stack, appended to the core's log.
#include "core/log.hpp"

#include "core/console/source.hpp"

#include <algorithm>
#include <array>
#include <cstdarg>
#include <cstdio>

namespace bulkhead {

void log(const char* format, ...)
{
    std::array<char, 241> line;
    va_list arguments;
    va_start(arguments, format);
    const int length = vsnprintf(line.data(), line.size() - 1, format, arguments);
    va_end(arguments);
    if (length < 0)
        return;
    size_t end = std::min(static_cast<size_t>(length), line.size() - 2);
    if (end == 0 || line[end - 1] != '\n')
        line[end++] = '\n';
    console_append(core_source(), {line.data(), end});
}

}  // namespace bulkhead
