// SPDX-License-Identifier: BSD-2-Clause
// libstdc++'s configuration with what Debian's build took from glibc switched
// off: threads, futexes, files; in ring 0 also C99 mathematics, streams and
// numbers from text. Only headers are used, never libstdc++.so, so no ABI
// depends on these.
#pragma once
#include_next <bits/c++config.h>

#undef _GLIBCXX_HAS_GTHREADS
#undef _GLIBCXX_HAVE_GTHR_DEFAULT
#undef _GLIBCXX_HAVE_LINUX_FUTEX
#undef _GLIBCXX_HAVE_POSIX_SEMAPHORE
#undef _GLIBCXX_HAVE_TLS
#undef _GLIBCXX_HAVE_ALIGNED_ALLOC
#undef _GLIBCXX_HAVE_AT_QUICK_EXIT
#undef _GLIBCXX_HAVE_QUICK_EXIT
#undef _GLIBCXX_HAVE_TIMESPEC_GET
#undef _GLIBCXX_HAVE_UCHAR_H
#undef _GLIBCXX_USE_C11_UCHAR_CXX11
#undef _GLIBCXX_USE_C99_COMPLEX
#undef _GLIBCXX_USE_C99_FENV_TR1
#undef _GLIBCXX_USE_C99_MATH_TR1
#undef _GLIBCXX_USE_C99_WCHAR
#undef _GLIBCXX_USE_CLOCK_MONOTONIC
#undef _GLIBCXX_USE_CLOCK_REALTIME
#undef _GLIBCXX_USE_GETTIMEOFDAY
#undef _GLIBCXX_USE_LFS
#undef _GLIBCXX_USE_NLS
#undef _GLIBCXX_USE_PTHREAD_COND_CLOCKWAIT
#undef _GLIBCXX_USE_PTHREAD_MUTEX_CLOCKLOCK
#undef _GLIBCXX_USE_PTHREAD_RWLOCK_CLOCKLOCK
#undef _GLIBCXX_USE_RANDOM_TR1
#undef _GLIBCXX_VERBOSE
#undef _GLIBCXX_X86_RDRAND
#undef _GLIBCXX_X86_RDSEED

#if !__STDC_HOSTED__        // ring 0
#undef _GLIBCXX_USE_C99_MATH
#undef _GLIBCXX_USE_C99_STDIO
#undef _GLIBCXX_USE_C99_STDLIB
#endif
