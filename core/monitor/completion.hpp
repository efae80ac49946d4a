// SPDX-License-Identifier: BSD-2-Clause
// Tab: the rest of the word at the cursor, as far as it is certain, else what it may become.
#pragma once

#include "core/console/text_out.hpp"
#include "core/monitor/line_editor.hpp"

namespace bulkhead {

void complete(LineEditor& editor, TextOut& out);

}  // namespace bulkhead
