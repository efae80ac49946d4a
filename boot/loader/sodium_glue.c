/* SPDX-License-Identifier: BSD-2-Clause */
/* The helpers that libsodium's Ed25519 and SHA-2 use of its utils.c, which needs an operating system. */
#include <stddef.h>
#include <string.h>

void sodium_memzero(void *memory, size_t bytes);
int sodium_memcmp(const void *first, const void *second, size_t bytes);
int sodium_is_zero(const unsigned char *bytes, const size_t count);

void sodium_memzero(void *memory, size_t bytes)
{
    memset(memory, 0, bytes);
    __asm__ volatile("" : : "r"(memory) : "memory");
}

/* Nothing here is secret; it need not take the same time for all contents. */
int sodium_memcmp(const void *first, const void *second, size_t bytes)
{
    return memcmp(first, second, bytes) == 0 ? 0 : -1;
}

int sodium_is_zero(const unsigned char *bytes, const size_t count)
{
    unsigned char all = 0;
    for (size_t i = 0; i < count; ++i)
        all |= bytes[i];
    return all == 0;
}
