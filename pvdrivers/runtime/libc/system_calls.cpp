// SPDX-License-Identifier: BSD-2-Clause
// What newlib asks of a system below it. There are no files: the standard streams are the console.
#include "pvdrivers/runtime/fatal.hpp"
#include "pvdrivers/runtime/memory.hpp"

#include <bulkhead/console.hpp>
#include <bulkhead/events.hpp>
#include <bulkhead/time.hpp>
#include <bulkhead/traps.hpp>

#include <cerrno>
#include <chrono>
#include <signal.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/times.h>
#include <unistd.h>

extern "C" {
#include <xen/sched.h>

void* sbrk(ptrdiff_t bytes);
void _init();
void _fini();
}

namespace {

int refused(int number)
{
    errno = number;
    return -1;
}

bool is_stream(int file) { return file >= 0 && file <= 2; }

}  // namespace

void* sbrk(ptrdiff_t bytes)
{
    if (void* before = bulkhead::grow_heap(bytes); before != nullptr)
        return before;
    errno = ENOMEM;
    return reinterpret_cast<void*>(-1);
}

_READ_WRITE_RETURN_TYPE write(int file, const void* data, size_t bytes)
{
    if (!is_stream(file))
        return refused(EBADF);
    bulkhead::write_console({static_cast<const char*>(data), bytes});
    return static_cast<_READ_WRITE_RETURN_TYPE>(bytes);
}

// Waits for at least one character.
_READ_WRITE_RETURN_TYPE read(int file, void* data, size_t bytes)
{
    if (!is_stream(file))
        return refused(EBADF);
    size_t count = 0;
    while (bytes != 0 && (count = bulkhead::read_console({static_cast<char*>(data), bytes})) == 0)
        bulkhead::wait_until(bulkhead::Clock::now() + std::chrono::milliseconds(100));
    return static_cast<_READ_WRITE_RETURN_TYPE>(count);
}

int fstat(int file, struct stat* status)
{
    if (!is_stream(file))
        return refused(EBADF);
    *status = {};
    status->st_mode = S_IFCHR;
    return 0;
}

int isatty(int file) { return is_stream(file) ? 1 : refused(EBADF); }
int close(int) { return refused(EBADF); }
off_t lseek(int, off_t, int) { return refused(ESPIPE); }
int getpid() { return 1; }

// abort() and the like.
int kill(int, int signal)
{
    bulkhead::crash("signal %d (6 is abort)", signal);
}

void _exit(int status)
{
    if (status == 0)
        bulkhead::power_off();
    bulkhead::print("main returned %d\n", status);
    bulkhead::end_as_crashed();
}

int gettimeofday(struct timeval* time, void*)
{
    const auto now = std::chrono::duration_cast<std::chrono::microseconds>(bulkhead::wall_clock()).count();
    time->tv_sec = now / 1000000;
    time->tv_usec = now % 1000000;
    return 0;
}

clock_t times(struct tms* figures)
{
    const auto ticks = static_cast<clock_t>(bulkhead::Clock::now().time_since_epoch().count() /
                                            (1000000000 / CLOCKS_PER_SEC));
    *figures = {ticks, 0, 0, 0};
    return ticks;
}

// newlib's exit() runs the destructors that constructors have registered, then these.
void _init() {}
void _fini() {}
