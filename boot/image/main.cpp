// SPDX-License-Identifier: BSD-2-Clause
// bulkhead-image: makes what each firmware starts, on the developer's machine.
#include <exception>
#include <iostream>

#include "boot/image/driver.hpp"

int main(int count, char** arguments)
{
    try {
        return bulkhead::tool::run_image_tool({arguments + 1, arguments + count}, std::cout, std::cerr);
    } catch (const std::exception& error) {
        std::cerr << "bulkhead-image: stopped: " << error.what() << '\n';
        return 1;
    }
}
