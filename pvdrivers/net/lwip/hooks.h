/* SPDX-License-Identifier: BSD-2-Clause */
/* Where lwIP asks its port something while it works. */
#ifndef BULKHEAD_LWIP_HOOKS_H
#define BULKHEAD_LWIP_HOOKS_H

#include <lwip/ip_addr.h>
#include <lwip/tcp.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A first sequence number that nobody can guess who does not see the connection. Source: RFC 6528. */
u32_t lwip_port_first_sequence_number(const ip_addr_t *local, u16_t local_port, const ip_addr_t *remote,
                                      u16_t remote_port);
#define LWIP_HOOK_TCP_ISN lwip_port_first_sequence_number

/* One GSO frame holds many segments, so it is acknowledged at once: a sender at its first window would
 * wait for the delayed acknowledgement otherwise. */
#define LWIP_HOOK_TCP_INPACKET_PCB(pcb, header, option_bytes, option_bytes_1, options_2, p) \
    (((pcb)->state != LISTEN && (p)->tot_len > (pcb)->mss) ? ((pcb)->flags |= TF_ACK_NOW, ERR_OK) : ERR_OK)

#ifdef __cplusplus
}
#endif
#endif
