/* SPDX-License-Identifier: BSD-2-Clause */
/* What newlib's configure would write for ring 0: 64-bit formats, C99 formats,
 * one locale, no wide or floating-point input and output. */
#ifndef BULKHEAD_NEWLIB_H
#define BULKHEAD_NEWLIB_H

#define _WANT_IO_LONG_LONG 1
#define _WANT_IO_C99_FORMATS 1
#define _MB_LEN_MAX 1
#define _LITE_EXIT 1
#define _UNBUF_STREAM_OPT 1
#define _FVWRITE_IN_STREAMIO 1
#define _HAVE_LONG_DOUBLE 1
#define _LDBL_EQ_DBL 0
#define HAVE_INITFINI_ARRAY 1
#define _ATEXIT_DYNAMIC_ALLOC 1

#endif
