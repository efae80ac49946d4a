/* SPDX-License-Identifier: BSD-2-Clause */
/* lwIP's options: one set for every program, the switch too, and for tests on the host. What a program
 * does not call costs it nothing (--gc-sections); what it stores is bounded here, so that no peer can
 * make it grow. No sockets API and no threads: all of lwIP runs on one vCPU. */
#ifndef BULKHEAD_LWIPOPTS_H
#define BULKHEAD_LWIPOPTS_H

#define NO_SYS                          1
#define SYS_LIGHTWEIGHT_PROT            0
#define LWIP_NETCONN                    0
#define LWIP_SOCKET                     0
#define LWIP_TIMERS                     1

/* --- Memory: fixed. Frames that are received lie in pages of their driver, as custom pbufs. --- */
#define MEM_ALIGNMENT                   8
#define MEM_SIZE                        (160 * 1024)
#define MEMP_OVERFLOW_CHECK             0
#define LWIP_SUPPORT_CUSTOM_PBUF        1
#define PBUF_POOL_SIZE                  48
#define PBUF_POOL_BUFSIZE               1536
#define MEMP_NUM_PBUF                   64
#define MEMP_NUM_RAW_PCB                4
#define MEMP_NUM_UDP_PCB                12
#define MEMP_NUM_TCP_PCB                16
#define MEMP_NUM_TCP_PCB_LISTEN         32
#define MEMP_NUM_TCP_SEG                256
#define MEMP_NUM_REASSDATA              4
#define MEMP_NUM_FRAG_PBUF              32
#define MEMP_NUM_IGMP_GROUP             40
#define MEMP_NUM_MLD6_GROUP             72
#define MEMP_NUM_ND6_QUEUE              8
#define MEMP_NUM_SYS_TIMEOUT            (LWIP_NUM_SYS_TIMEOUT_INTERNAL + 24)

/* --- Links --- */
#define LWIP_ETHERNET                   1
#define LWIP_ARP                        1
#define ARP_TABLE_SIZE                  32
#define ARP_QUEUEING                    0
#define ETHARP_SUPPORT_STATIC_ENTRIES   1
#define ETHARP_TRUST_IP_MAC             0
#define LWIP_SINGLE_NETIF               0
#define LWIP_NETIF_HOSTNAME             1
#define LWIP_NETIF_STATUS_CALLBACK      1
#define LWIP_NETIF_LINK_CALLBACK        1
#define LWIP_NETIF_EXT_STATUS_CALLBACK  1
#define LWIP_NETIF_REMOVE_CALLBACK      1
#define LWIP_NUM_NETIF_CLIENT_DATA      4
#define LWIP_NETIF_LOOPBACK             0
#define LWIP_HAVE_LOOPIF                0
#define BRIDGEIF_MAX_PORTS              31
#define BRIDGEIF_PORT_NETIFS_OUTPUT_DIRECT 1

/* --- IPv4 --- */
#define LWIP_IPV4                       1
#define IP_FORWARD                      0
#define IP_REASSEMBLY                   1
#define IP_REASS_MAX_PBUFS              16
#define IP_FRAG                         1
#define LWIP_ICMP                       1
#define LWIP_IGMP                       1
#define LWIP_DHCP                       1
#define LWIP_DHCP_MAX_NTP_SERVERS       0
#define LWIP_AUTOIP                     0
#define LWIP_DNS                        0
#define LWIP_RAW                        1

/* --- IPv6 --- */
#define LWIP_IPV6                       1
#define LWIP_IPV6_MLD                   1
#define LWIP_IPV6_AUTOCONFIG            1
#define LWIP_IPV6_SEND_ROUTER_SOLICIT   1
#define LWIP_IPV6_DUP_DETECT_ATTEMPTS   1
#define LWIP_IPV6_FORWARD               0
#define LWIP_IPV6_REASS                 1
#define LWIP_IPV6_FRAG                  1
/* What lwIP keeps of a fragment has pointers of 64 bits, which do not fit into the fragment's own header. */
#define IPV6_FRAG_COPYHEADER            1
#define LWIP_IPV6_DHCP6                 0
#define LWIP_IPV6_NUM_ADDRESSES         4
#define LWIP_ND6_NUM_NEIGHBORS          24
#define LWIP_ND6_NUM_DESTINATIONS       24

/* --- UDP and TCP --- */
#define LWIP_UDP                        1
#define LWIP_TCP                        1
#define TCP_MSS                         1460
#define TCP_WND                         (44 * TCP_MSS)
#define TCP_SND_BUF                     (22 * TCP_MSS)
#define TCP_SND_QUEUELEN                (4 * TCP_SND_BUF / TCP_MSS)
#define TCP_LISTEN_BACKLOG              1
#define TCP_DEFAULT_LISTEN_BACKLOG      8
#define TCP_QUEUE_OOSEQ                 1
#define TCP_OOSEQ_MAX_PBUFS             8
#define LWIP_TCP_KEEPALIVE              1
#define LWIP_TCP_TIMESTAMPS             0
#define LWIP_CHKSUM_ALGORITHM           3

/* --- Names --- */
#define LWIP_MDNS_RESPONDER             1
#define MDNS_MAX_SERVICES               2

/* Each card says which checksums it computes and has checked. */
#define LWIP_CHECKSUM_CTRL_PER_NETIF    1
#define LWIP_CHECKSUM_ON_COPY           0

#define LWIP_STATS                      0
#define LWIP_DEBUG                      0

#define LWIP_HOOK_FILENAME              "hooks.h"

#endif
