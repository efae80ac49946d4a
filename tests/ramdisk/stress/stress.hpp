// SPDX-License-Identifier: BSD-2-Clause
// What the parts of stress-tool share: each part is a function that returns when
// everything was as it should be and ends the process with a sentence when not.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <ctime>

#include <functional>

#include <sys/types.h>

namespace stress {

// Prints the sentence with errno and ends the test as failed.
[[noreturn]] void fail(const char* what);
// Prints the sentence and ends the test as not applicable here.
[[noreturn]] void skip(const char* why);

inline void require(bool condition, const char* what) {
    if (!condition) {
        fail(what);
    }
}

// Runs the function in a child process; its failure becomes the parent's at join().
class Child {
public:
    explicit Child(const std::function<void()>& body);
    void join();
    [[nodiscard]] pid_t pid() const { return pid_; }

private:
    pid_t pid_;
};

// Memory for all of this process's children, zeroed.
void* shared_memory(std::size_t size_bytes);

int online_cpus();
// Restricts the calling thread to one CPU; false if that CPU is not online.
bool pin_to(int cpu);
bool cpu_has(const char* flag);
std::int64_t monotonic_ns();

// A small generator, so that patterns differ and can be made again.
class Pattern {
public:
    explicit Pattern(std::uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15 + 1) {}
    std::uint64_t next() {
        state_ ^= state_ << 13;
        state_ ^= state_ >> 7;
        state_ ^= state_ << 17;
        return state_;
    }

private:
    std::uint64_t state_;
};

void processes();
void threads();
void memory();
void copy_on_write();
void protection();
void shootdown();
void page_out();
void bad_pointers();
void signals();
void faults();
void timers();
void clocks();
void vector_state();
void kernel_vector_state();
void single_step();
void breakpoints();
void int80();
void descriptor_table();
void segment_bases();
void pipes();
void filters();

}  // namespace stress
