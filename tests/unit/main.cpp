// SPDX-License-Identifier: BSD-2-Clause
// The main function of every unit test: CppUTest's own runner, nothing more.
#include <CppUTest/CommandLineTestRunner.h>

int main(int count, char** arguments) {
    return RUN_ALL_TESTS(count, arguments);
}
