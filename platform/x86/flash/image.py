# SPDX-License-Identifier: BSD-2-Clause
"""What is in a flash: its layout, its slots, and which of them an update may overwrite."""

import struct
import zlib

BLOCK = 0x10000
LAYOUT_MARK = b"BULKHEAD-FLASH-:"
SLOT_MAGIC = 0x31544F4C53484242
STATE_MAGIC = 0x3154415453484242
STATE_BLOCK = 4096
FAILED = 2
CONFIRMED = 1


class Layout:
    """Source: boot/loader/flash_layout.hpp."""

    def __init__(self, flash):
        at = flash.rfind(LAYOUT_MARK)
        if at < 0:
            raise ValueError
        self.bytes, self.slot, self.state = struct.unpack_from("<III", flash, at + len(LAYOUT_MARK))


def slot_version(slot):
    """0: nothing that could be a slot. Source: boot/loader/slot.hpp."""
    magic, _, _, version = struct.unpack_from("<QIIQ", slot, 0)
    return version if magic == SLOT_MAGIC else 0


def slot_length(slot):
    return 4096 + struct.unpack_from("<Q", slot, 32)[0]


def newest_state(flash, layout):
    """((version, status), (version, status)) of the newer sound copy, or None. Source: boot/loader/boot_state.hpp."""
    best = None
    for copy in range(2):
        record = flash[layout.state + copy * STATE_BLOCK:][:64]
        magic, crc, sequence = struct.unpack_from("<QII", record, 0)
        if magic == STATE_MAGIC and zlib.crc32(record[12:]) == crc and (best is None or sequence > best[0]):
            slots = [struct.unpack_from("<QI", record, 24 + 16 * slot) for slot in range(2)]
            best = (sequence, slots)
    return best and best[1]


def slot_to_overwrite(flash, layout):
    """Never the one that the box relies on: an empty one, else one that failed, else one that has not
    proved itself beside one that has, else the older one."""
    slots = [flash[i * layout.slot:(i + 1) * layout.slot] for i in range(2)]
    versions = [slot_version(slot) for slot in slots]
    state = newest_state(flash, layout)

    def worth(number):
        if versions[number] == 0:
            return (0, 0)
        status = state[number][1] if state and state[number][0] == versions[number] else 0
        return ({FAILED: 1, CONFIRMED: 3}.get(status, 2), versions[number])
    return min((0, 1), key=worth)
