// SPDX-License-Identifier: BSD-2-Clause
// The main function of every unit test: CppUTest's own runner. Its leak check is off: it takes what
// global fakes keep between tests for leaks, and the address sanitizer finds real ones.
#include <CppUTest/CommandLineTestRunner.h>
#include <CppUTest/MemoryLeakWarningPlugin.h>

int main(int count, char** arguments) {
    MemoryLeakWarningPlugin::turnOffNewDeleteOverloads();
    return RUN_ALL_TESTS(count, arguments);
}
