/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The store service's persistent region: everything that the store knows, as plain data. It outlives
 * the store, and the monitor reads it even when the store is dead, trusting nothing in it.
 *
 * The region is the header, the undo log, the tables of buckets, the clients with their buffers, and
 * cells of 64 bytes to the end. A reference is the number of a cell; 0 is none. Records are chains:
 * the first cell is a store_record, those that follow hold its text. Offsets are from the region's
 * first byte.
 */
#ifndef BULKHEAD_STORE_REGION_H
#define BULKHEAD_STORE_REGION_H

#include <stdint.h>

#define STORE_REGION_MAGIC      0x31455f4552545342ULL
#define STORE_REGION_VERSION    1
#define STORE_MAX_CLIENTS       64
#define STORE_CELL_BYTES        64
#define STORE_TEXT_BYTES        60      /* of a cell of text */
#define STORE_MAX_PERMISSIONS   8       /* so that they lie in a record's first cell of text */
#define STORE_BUFFER_BYTES      4112    /* a header and XENSTORE_PAYLOAD_MAX */
#define STORE_NAME_BYTES        32

/* One word as it was before the operation that is under way. */
struct store_undo {
    uint32_t offset;
    uint32_t value;
};

struct store_region {
    uint64_t magic;                 /* written last when the region is made */
    uint32_t version;
    uint32_t bytes;
    uint32_t log;                   /* offset of store_undo[log_capacity] */
    uint32_t log_capacity;
    uint32_t log_used;              /* not 0: an operation is under way and will be undone */
    uint32_t node_buckets;          /* offset of a power of two of references */
    uint32_t node_bucket_count;
    uint32_t path_buckets;          /* the same for watches and entries of transactions */
    uint32_t path_bucket_count;
    uint32_t clients;               /* offset of store_client[client_count] */
    uint32_t client_count;
    uint32_t cells;                 /* offset of cell 0, which is never used */
    uint32_t cell_count;
    uint32_t hash_seed;
    /* From here on every change is logged. */
    uint32_t free_head;             /* taken here, given back at free_tail; never empty */
    uint32_t free_tail;
    uint32_t free_count;
    uint32_t root;
    uint32_t special;               /* parent of the nodes whose names begin with '@' */
    uint32_t garbage;               /* removed subtrees that are still to be taken apart */
    uint32_t generation_low;        /* of the newest change */
    uint32_t generation_high;
    uint32_t plan_nodes;            /* nodes and cells of owners that are no clients */
    uint32_t plan_cells;
    uint32_t ready;                 /* the plan's nodes are built */
    uint32_t watch_count;
};

enum store_client_state {
    STORE_CLIENT_ABSENT,            /* nothing of a former life is left */
    STORE_CLIENT_DROPPING,          /* a life ended, its things are being removed */
    STORE_CLIENT_BUILDING,          /* a life began, its nodes are being made */
    STORE_CLIENT_RUNNING,
    STORE_CLIENT_RESETTING,         /* it asked for a reconnection */
    STORE_CLIENT_CLOSED,            /* it broke the ring's rules */
};

#define STORE_CLIENT_PRIVILEGED 1
#define STORE_CLIENT_KEEPS_NODES 2      /* its nodes outlive its lives */

struct store_quota {
    uint32_t nodes;
    uint32_t watches;
    uint32_t transactions;
    uint32_t transaction_nodes;
    uint32_t node_bytes;            /* permissions, name and value together */
    uint32_t permissions;           /* entries of one node */
    uint32_t messages;              /* events that wait */
    uint32_t cells;                 /* all of the above together */
};

struct store_client {
    uint32_t domain;
    uint32_t flags;
    uint32_t state;
    uint32_t life;                  /* which life of the partition this is about */
    uint32_t error;                 /* XENSTORE_ERROR_*, why the ring is closed */
    uint32_t target;                /* the domain that it may act for, or its own */
    uint32_t req_cons;              /* positions of the ring; these count, not the ring's own */
    uint32_t rsp_prod;
    uint32_t request_bytes;         /* of a long request that is half received */
    uint32_t reply_bytes;           /* of a reply that did not fit the ring at once */
    uint32_t reply_sent;
    uint32_t messages;              /* list of records */
    uint32_t last_message;
    uint32_t message_count;
    uint32_t message_sent;          /* bytes of the first */
    uint32_t watches;               /* list of records */
    uint32_t watch_count;
    uint32_t merged;                /* watches with STORE_WATCH_MERGED */
    uint32_t transactions;          /* list of records */
    uint32_t transaction_count;
    uint32_t next_transaction;
    uint32_t nodes;                 /* that it owns */
    uint32_t cells;                 /* that it pays for */
    uint32_t request;               /* offsets of buffers of STORE_BUFFER_BYTES */
    uint32_t reply;
    struct store_quota quota;
    /* For the user; a crash may lose one of a count. */
    uint32_t requests;
    uint32_t refused;
    uint32_t events;
    uint32_t events_merged;
    char name[STORE_NAME_BYTES];
};

enum store_kind {
    STORE_NODE = 1,
    STORE_WATCH,
    STORE_TRANSACTION,
    STORE_ENTRY,                    /* what a transaction knows about a path */
    STORE_MESSAGE,                  /* text: an event as it goes over the wire */
};

#define STORE_WATCH_RELATIVE    1   /* its events name paths below the client's own */
#define STORE_WATCH_MERGED      2   /* events were merged into one for its own path, still to be sent */
#define STORE_WATCH_DEPTH       4   /* watch.depth counts */

#define STORE_ENTRY_CHECKED     1   /* base_* must still be the node's generation, 0: no such node */
#define STORE_ENTRY_WRITTEN     2   /* the text is the node as the transaction sees it */
#define STORE_ENTRY_REMOVED     4   /* the transaction removed the node and all below it */

struct store_node {
    uint32_t parent;
    uint32_t child;                 /* the oldest */
    uint32_t next;                  /* sibling, 0 after the youngest */
    uint32_t previous;              /* sibling; the oldest names the youngest */
    uint32_t generation_low;
    uint32_t generation_high;
};

struct store_watch {
    uint32_t client;
    uint32_t next;
    uint32_t depth;
};

struct store_transaction {
    uint32_t client;
    uint32_t next;
    uint32_t id;
    uint32_t first;                 /* list of entries, changes in the order to carry them out */
    uint32_t last;
    uint32_t count;
    uint32_t changes;
};

struct store_entry {
    uint32_t transaction;
    uint32_t next;
    uint32_t previous;
    uint32_t base_low;
    uint32_t base_high;
    uint32_t removed_low;           /* newest generation when the transaction removed the subtree */
    uint32_t removed_high;
};

struct store_message {
    uint32_t client;
    uint32_t next;
    uint32_t watch;                 /* the watch that it is for */
};

/*
 * The text is: permissions (domain << 16 | XS_PERM_READ 1, XS_PERM_WRITE 2; the first names the owner
 * and what everybody else may), the name (node), whole path (watch, entry) or nothing, and the value
 * (node, entry), token (watch) or message.
 */
struct store_record {
    uint32_t text;                  /* its first cell; in a free cell the next free one */
    uint16_t kind;
    uint8_t  permissions;
    uint8_t  flags;
    uint32_t hash;                  /* of the whole path */
    uint32_t hash_next;
    uint16_t name_bytes;
    uint16_t value_bytes;
    union {
        struct store_node node;
        struct store_watch watch;
        struct store_transaction transaction;
        struct store_entry entry;
        struct store_message message;
        uint32_t words[11];
    };
};

struct store_text {
    uint32_t next;
    uint8_t bytes[STORE_TEXT_BYTES];
};

#endif
