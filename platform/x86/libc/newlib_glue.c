/* SPDX-License-Identifier: BSD-2-Clause */
/* What newlib's integer printf needs around it in ring 0. Formatting into a
 * caller's buffer never allocates, so the allocator refuses; there is one
 * locale. The only state is an errno that nobody reads. */
#include <locale.h>
#include <reent.h>
#include <stdarg.h>
#include <stdio.h>

static struct _reent ring0_reent;
struct _reent* _impure_ptr = &ring0_reent;

void* _malloc_r(struct _reent* reent, size_t size) {
    (void)reent;
    (void)size;
    return NULL;
}

void* _realloc_r(struct _reent* reent, void* block, size_t size) {
    (void)reent;
    (void)block;
    (void)size;
    return NULL;
}

void _free_r(struct _reent* reent, void* block) {
    (void)reent;
    (void)block;
}

struct lconv* _localeconv_r(struct _reent* reent) {
    static char point[] = ".";
    static char nothing[] = "";
    static struct lconv c_locale = {
        .decimal_point = point,
        .thousands_sep = nothing,
        .grouping = nothing,
    };
    (void)reent;
    return &c_locale;
}

/* The standard names, in their integer forms. */
int vsnprintf(char* out, size_t size, const char* format, va_list arguments) {
    return vsniprintf(out, size, format, arguments);
}

int snprintf(char* out, size_t size, const char* format, ...) {
    va_list arguments;
    va_start(arguments, format);
    const int length = vsniprintf(out, size, format, arguments);
    va_end(arguments);
    return length;
}
