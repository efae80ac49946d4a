// SPDX-License-Identifier: BSD-2-Clause
// check [N]: of checked builds (core/checked.hpp).
#include "core/checked.hpp"
#include "core/monitor/command.hpp"
#include "core/monitor/format.hpp"

namespace bulkhead {

void start_check(CommandRun&, const Words& words, TextOut& out)
{
    if (words.count > 1) {
        const auto interval = parse_number(words[1]);
        if (!interval.has_value()) {
            out.put("check: every how many operations? 0: at the edges of lives only\n");
            return;
        }
        checked::set_interval(*interval);
    }
    const checked::Figures now = checked::figures();
    out.print("%llu operations, %llu checks, one every %llu; %llu put off\n", wide(now.operations), wide(now.checks),
              wide(now.interval), wide(now.put_off));
}

}  // namespace bulkhead
