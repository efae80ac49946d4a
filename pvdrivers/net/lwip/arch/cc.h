/* SPDX-License-Identifier: BSD-2-Clause */
/* lwIP on this compiler and C library: newlib in ring 3, glibc in tests on the host. */
#ifndef BULKHEAD_LWIP_CC_H
#define BULKHEAD_LWIP_CC_H

#include <limits.h>
#include <stdint.h>
#include <sys/types.h>

/* newlib has ssize_t but no limit of it unless asked for more than C. */
#ifndef SSIZE_MAX
#define SSIZE_MAX LONG_MAX
#endif
#define LWIP_NO_UNISTD_H 1

#ifdef __cplusplus
extern "C" {
#endif

/* An assertion of lwIP does not hold: ends the program. */
void lwip_port_assertion(const char *message) __attribute__((noreturn));
/* Random enough for port numbers, transaction identifiers and delays. */
uint32_t lwip_port_random(void);

#ifdef __cplusplus
}
#endif

#define LWIP_PLATFORM_ASSERT(message) lwip_port_assertion(message)
#define LWIP_PLATFORM_DIAG(message)   do { } while (0)
#define LWIP_RAND()                   lwip_port_random()

#endif
