/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ethernet cards that a driver of pvdrivers/nic knows: what the plan's uplink = "first" may find.
 * Vendor and device ids of PCI configuration space.
 */
#ifndef BULKHEAD_ABI_NETWORK_CARDS_H
#define BULKHEAD_ABI_NETWORK_CARDS_H

#define BULKHEAD_NETWORK_CARDS(card) \
    card(0x1af4, 0x1041) /* virtio-net, modern */ \
    card(0x1af4, 0x1000) /* virtio-net, modern beside its legacy form */ \
    card(0x8086, 0x10d3) /* Intel 82574L */ \
    card(0x8086, 0x100e) /* Intel 82540EM */

#endif /* BULKHEAD_ABI_NETWORK_CARDS_H */
