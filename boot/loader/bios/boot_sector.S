// SPDX-License-Identifier: BSD-2-Clause
// The MBR: loads the second stage from the sectors behind the partition table by INT 13h's extensions.
// 440 bytes at most; the partition table follows. Source: EDD-3, "Extended read".
#include "boot/loader/bios/places.hpp"

#define PIECE_SECTORS 32        // 16 KiB: from 0x8000 on never across a 64 KiB boundary

    .section .boot_sector, "ax", @progbits
    .code16
    .global boot_sector
boot_sector:
    cli
    cld
    xor %ax, %ax
    mov %ax, %ds
    mov %ax, %es
    mov %ax, %ss
    mov $BIOS_BOOT_SECTOR, %sp
    ljmp $0, $1f                              // some BIOSes come in with 07c0:0000
1:  sti
    mov %dl, boot_drive
    mov $0x41, %ah
    mov $0x55aa, %bx
    int $0x13
    mov $no_extensions, %si
    jc fail
    cmp $0xaa55, %bx
    jne fail

    mov $second_stage_pieces, %bp
2:  mov $packet, %si
    mov boot_drive, %dl
    mov $0x42, %ah
    int $0x13
    mov $cannot_read, %si
    jc fail
    addw $PIECE_SECTORS * 32, packet + 6      // segment: 512 bytes are 32 paragraphs
    addl $PIECE_SECTORS, packet + 8
    dec %bp
    jnz 2b
    mov boot_drive, %dl
    ljmp $0, $second_stage

fail:
    lodsb
    test %al, %al
    jz 3f
    mov $0x0e, %ah
    mov $7, %bx
    int $0x10
    jmp fail
3:  hlt
    jmp 3b

    .balign 4
packet:
    .byte 16, 0
    .word PIECE_SECTORS
    .word 0, BIOS_SECOND_STAGE >> 4
    .quad BIOS_STAGE_SECTOR
boot_drive:     .byte 0
no_extensions:  .asciz "Bulkhead cannot start: this BIOS has no INT 13h extensions.\r\n"
cannot_read:    .asciz "Bulkhead cannot start: the disk cannot be read.\r\n"
    .global boot_sector_end
boot_sector_end:

    .section .note.GNU-stack, "", @progbits
