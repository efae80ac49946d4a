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
/* Devices of the box that the plan gives to the caller; -EPERM: it gives none. */
#define BULKHEADOP_device_info 16
#define BULKHEADOP_device_dma 17
#define BULKHEADOP_device_config_read 18
#define BULKHEADOP_device_config_write 19
/* Questions about the box, for those whom the plan lets ask; -EPERM: others. They change nothing. */
#define BULKHEADOP_box_info 32
#define BULKHEADOP_cpu_info 33
#define BULKHEADOP_partition_info 34
#define BULKHEADOP_log_text 35
/* For the machine service of a hardware partition: pvdrivers/abi/machine.h. */
#define BULKHEADOP_machine_page 48
#define BULKHEADOP_machine_turn 49

/* Ids of service partitions: fixed by what the service is, the same in every life and plan. */
#define BULKHEAD_DOMAIN_STORE 0x7000
#define BULKHEAD_DOMAIN_SWITCH 0x7001
#define BULKHEAD_DOMAIN_DISK 0x7002
/* From here on machine services, one for each partition that has one, in the plan's order. */
#define BULKHEAD_DOMAIN_MACHINE 0x7003

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

/*
 * BULKHEADOP_device_info. -ENOENT: the plan gives the caller no device of that index (they count from 0
 * in the plan's order). A device that the box lacks is answered with flags 0 and a sentence in `why`.
 *
 * Frames of its memory BARs may be mapped by the caller, by any operation on page tables (foreign domain
 * DOMID_IO or DOMID_SELF); they are uncached whatever the entry says. Frames that hold the MSI-X table or
 * its pending bits cannot be mapped.
 *
 * Interrupts: PHYSDEVOP_map_pirq with the device's bus and devfn, then EVTCHNOP_bind_pirq. Type
 * MAP_PIRQ_TYPE_MSI with table_base 0 is MSI, with table_base != 0 MSI-X vector entry_nr; type
 * MAP_PIRQ_TYPE_GSI with index = `line` is its interrupt line, which is masked from each interrupt until
 * PHYSDEVOP_eoi.
 */
struct bulkhead_device_bar {
    uint64_t address;          /* machine address; 0: there is none, or it cannot be mapped */
    uint64_t size_bytes;
    uint64_t closed_offset;    /* page-aligned part that cannot be mapped */
    uint64_t closed_bytes;     /* 0: all of it can */
};

struct bulkhead_device_info {
    uint32_t index;            /* in */
    uint32_t flags;            /* BULKHEAD_DEVICE_* */
    uint16_t vendor;
    uint16_t device;
    uint16_t subsystem_vendor;
    uint16_t subsystem;
    uint32_t class_code;       /* class, subclass, programming interface: 24 bits */
    uint16_t address;          /* bus << 8 | device << 3 | function */
    uint8_t revision;
    uint8_t reserved0;
    uint16_t msi_vectors;      /* 0 or 1 */
    uint16_t msix_vectors;     /* that can be mapped */
    int32_t line;              /* for MAP_PIRQ_TYPE_GSI; -1: not known, look at the device by a timer */
    uint64_t dma_address;      /* machine address of the caller's DMA region, which is in a row */
    uint64_t dma_bytes;        /* 0: it has none */
    struct bulkhead_device_bar bars[6];
    char why[120];             /* a sentence, zero-terminated */
};
#define BULKHEAD_DEVICE_PRESENT 1u
#define BULKHEAD_DEVICE_CONFINED 2u         /* an IOMMU lets it reach the DMA region only */
#define BULKHEAD_DEVICE_REMAPPED 4u         /* nor can it forge an interrupt */

/*
 * BULKHEADOP_device_dma: bus mastering on or off; it is off when a life begins. -ENODEV: the box lacks
 * the device; -EACCES: it was cut off because it reached for memory that is not its own; it comes back
 * with the caller's next life.
 */
struct bulkhead_device_dma {
    uint32_t index;
    uint32_t on;               /* 0 or 1 */
};

/*
 * BULKHEADOP_device_config_read and _write. width is 1, 2 or 4, offset a multiple of it. Only the status
 * register and PCI Express' device status are written, whose errors one clears: anything else may lead to
 * BARs, bus mastering or MSI. -EACCES: this is not to be written; -EINVAL.
 */
struct bulkhead_device_config {
    uint32_t index;
    uint16_t offset;
    uint16_t width;
    uint32_t value;            /* in for a write, out for a read */
};

/*
 * Questions. Texts end with a zero and are cut to their room. Each value is right for some moment of the
 * question, not all for the same one.
 */
struct bulkhead_box_info {
    uint64_t uptime_ns;
    uint32_t cpus;
    uint32_t partitions;       /* services, behind the plan's partitions, with them */
    char version[64];
    char model[64];            /* the plan's */
};

/* -ENOENT: there is no CPU of this number. */
struct bulkhead_cpu_info {
    uint32_t cpu;              /* in */
    uint32_t partition;        /* index of that whose vCPU is on the CPU; BULKHEAD_NO_PARTITION: it is idle */
    uint64_t used_ns;          /* time for which vCPUs ran on it, in the lives that their partitions are in */
};
#define BULKHEAD_NO_PARTITION 0xffffffffu

/* -ENOENT: there is no partition of this index. */
struct bulkhead_partition_info {
    uint32_t index;            /* in */
    uint16_t domain;
    uint8_t state;             /* BULKHEAD_CLIENT_* */
    uint8_t reserved;
    uint32_t vcpus;
    uint32_t starts;
    uint32_t crashes;
    uint32_t watchdogs;        /* times that its watchdog has ended it */
    uint64_t memory_bytes;
    uint64_t used_ns;          /* CPU time of this life */
    char name[32];
    char type[8];
};

/*
 * A part of one line of a log, as it was written: control characters included, without the line's end.
 * -ENOENT: there is no such log.
 */
struct bulkhead_log_text {
    uint32_t log;              /* in: a partition's index, or BULKHEAD_NO_PARTITION: the core's */
    uint32_t flags;            /* BULKHEAD_LOG_*; 0: this was all */
    uint64_t position;         /* in: 0, or what the last answer said; out: where to go on */
    uint64_t time_ns;          /* of the line's first byte, since the start; with BULKHEAD_LOG_STAMPED */
    uint32_t length;
    char text[228];
};
#define BULKHEAD_LOG_SOME 1u
#define BULKHEAD_LOG_STAMPED 2u
#define BULKHEAD_LOG_LINE_END 4u            /* the line ends with this part */

#endif /* BULKHEAD_ABI_BULKHEAD_H */
