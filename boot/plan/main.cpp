// SPDX-License-Identifier: BSD-2-Clause
// bulkhead-plan: compiles a partition plan into a bootable image, on the developer's machine.
#include <exception>
#include <iostream>

#include "boot/plan/driver.hpp"

int main(int count, char** arguments)
{
    try {
        return bulkhead::tool::run_tool({arguments + 1, arguments + count}, std::cout, std::cerr);
    } catch (const std::exception& error) {
        // Memory that ran out, and its like: no plan is to blame.
        std::cerr << "bulkhead-plan: stopped: " << error.what() << '\n';
        return 1;
    }
}
