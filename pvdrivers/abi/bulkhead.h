/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The few words of Bulkhead's own that the Xen ABI has none for, for service partitions. Plain C, used
 * on both sides of the hypercall. Include it with the ABI headers: hypercall numbers are in <xen/xen.h>.
 */
#ifndef BULKHEAD_ABI_BULKHEAD_H
#define BULKHEAD_ABI_BULKHEAD_H

#include <stdint.h>

/* Hypercall __HYPERVISOR_arch_2: (operation, pointer to the operation's record). -ENOSYS elsewhere. */
#define BULKHEADOP_service_info 0

/* Ids of service partitions: fixed by what the service is, the same in every life and plan. */
#define BULKHEAD_DOMAIN_STORE 0x7000
#define BULKHEAD_DOMAIN_SWITCH 0x7001
#define BULKHEAD_DOMAIN_DISK 0x7002

/*
 * BULKHEADOP_service_info. -EPERM: the caller is no service; -EFAULT: no such record.
 * The frame of clients belongs to the core; the caller may map it, read-only.
 */
struct bulkhead_service_info {
    uint64_t clients_mfn;  /* of an array of struct bulkhead_client */
    uint32_t clients;      /* its length: all partitions of the plan in order, services behind */
    uint32_t life;         /* of the caller, from 1 on */
    uint32_t flags;        /* BULKHEAD_SERVICE_* */
    uint32_t reserved;
};
/* The persistent frames hold what a former life left; without it they are zero. */
#define BULKHEAD_SERVICE_REGION_KEPT 1u

/*
 * What a partition is doing now. Each entry is written at once: read it at once, as 64 bits. After a
 * change VIRQ_DOM_EXC is raised at every service.
 */
struct bulkhead_client {
    uint32_t generation;  /* lives so far: changes before the state becomes BULKHEAD_CLIENT_building */
    uint16_t domain;
    uint8_t state;        /* BULKHEAD_CLIENT_* */
    uint8_t reason;       /* SHUTDOWN_* of <xen/sched.h>, or BULKHEAD_REASON_* */
};

enum bulkhead_client_state {
    BULKHEAD_CLIENT_left_out = 0,   /* this box lacks what it needs */
    BULKHEAD_CLIENT_stopped = 1,
    BULKHEAD_CLIENT_building = 2,   /* its next life is being made; it grants nothing */
    BULKHEAD_CLIENT_running = 3,
    BULKHEAD_CLIENT_paused = 4,     /* alive, but no vCPU runs */
    BULKHEAD_CLIENT_shut_down = 5,  /* its life has ended: unmap what it granted, within 100 ms */
    BULKHEAD_CLIENT_crashed = 6     /* ended, and kept for a look */
};

#define BULKHEAD_REASON_none 0xff
#define BULKHEAD_REASON_operator 0xfe

#endif /* BULKHEAD_ABI_BULKHEAD_H */
