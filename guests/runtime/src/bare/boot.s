# From the machine's entry to ring 3, and back for interrupts, idle and faults.
#
# Ring 0 code is kept to what needs ring 0: on some hosts each of its instructions is emulated. All of this
# section lies in the first 64 KiB of the image, at 2 MiB, so that gates and descriptors are assembly-time
# constants. It must never touch the frame path's registers or memory, except the fault record.
#
# Sources: Xen "x86/HVM direct boot ABI" (PVH), Linux boot protocol "64-bit Boot Protocol",
# Intel SDM vol. 3 (descriptors 3.4.5, gates 6.14.1, TSS 7.7, x2APIC 10.12).

.set IMAGE_HIGH, 0x20                 # bits 31..16 of the image's base
.set USER_STACK_TOP, 0x200000         # ring 3's stack ends where the image begins
.set USER_STACK_GUARD, 0x1bf          # page number of the unmapped page below it

.set KERNEL_CODE, 0x10
.set USER_DATA, 0x28 | 3
.set USER_CODE, 0x30 | 3
.set TASK, 0x40

.set USER_RFLAGS, 0x2                 # interrupts off in ring 3: they wait for the idle entry

.set PVPANIC, 0x505
.set RECORD_CR2, 32
.set RECORD_VECTOR, 16
.set RECORD_ERROR, 24
.set RECORD_RIP, 40
.set RECORD_RSP, 48
.set RECORD_RFLAGS, 56
.set RECORD_RAX, 64

.section .note.pinode, "a", @note
.balign 4
    .long 4, 8, 18                    # XEN_ELFNOTE_PHYS32_ENTRY
    .asciz "Xen"
    .quad pvh_entry
    .long 7, 4, 1                     # ABI of this runtime
    .asciz "pinode"
    .balign 4
    .long 1

.section .boot, "awx", @progbits
.globl boot_base
boot_base:

# ---- entry: PVH, 32-bit protected mode, paging off, ebx = hvm_start_info
.code32
.globl pvh_entry
pvh_entry:
    cli
    mov edi, ebx
    mov esi, 1
    lgdt [gdt_pointer]
    mov eax, 0x620                    # PAE, OSFXSR, OSXMMEXCPT
    mov cr4, eax
    mov eax, offset page_map
    mov cr3, eax
    mov ecx, 0xc0000080               # EFER
    rdmsr
    or eax, 0x100                     # LME
    wrmsr
    mov eax, 0x80010033               # PG, WP, NE, ET, MP, PE; EM and TS clear: SSE
    mov cr0, eax
    .byte 0xea                        # far jump into the 64-bit segment
    .long long_mode
    .word KERNEL_CODE

# ---- entry: Linux 64-bit boot, long mode, identity map, rsi = zero page
.code64
.globl linux64_entry
linux64_entry:
    cli
    mov edi, esi
    mov esi, 2
    lgdt [rip + gdt_pointer]
    mov eax, 0x620
    mov cr4, rax
    mov eax, offset page_map
    mov cr3, rax
    mov eax, 0x80010033
    mov cr0, rax

# ---- edi = boot information, esi = protocol
long_mode:
    mov esp, offset kernel_stack_top
    lidt [rip + idt_pointer]
    mov eax, TASK
    ltr ax
    mov eax, USER_DATA
    mov ds, eax
    mov es, eax
    xor eax, eax
    mov fs, eax
    mov gs, eax
    mov ecx, 0x1b                     # IA32_APIC_BASE: enabled, x2APIC
    rdmsr
    or eax, 0xc00
    wrmsr
    mov ecx, 0x80f                    # SVR: software enable, spurious vector 255
    mov eax, 0x1ff
    xor edx, edx
    wrmsr
    mov eax, 0x40000001               # KVM's features: bit 3, the clock MSRs at 0x4b564d00; 5, steal time
    cpuid
    mov r8d, eax
    test r8d, 8
    jz 1f
    mov ecx, 0x4b564d01               # MSR_KVM_SYSTEM_TIME_NEW: gives the TSC's rate
    mov eax, offset clock_page + 1
    xor edx, edx
    wrmsr
1:  test r8d, 0x20
    jz 3f
    mov ecx, 0x4b564d03               # MSR_KVM_STEAL_TIME: what other threads of the host had of our CPU
    mov eax, offset steal_page + 1
    xor edx, edx
    wrmsr
3:  push USER_DATA
    mov eax, USER_STACK_TOP - 8
    push rax
    push USER_RFLAGS
    push USER_CODE
    mov eax, offset start
    push rax
    iretq

# ---- ring 3: sleeps until an interrupt came since the last call returned.
# hlt raises #GP here; ring 0 does the waiting. The registers are ready for ring 0's EOI.
.globl idle_wait
idle_wait:
    mov ecx, 0x80b
    xor eax, eax
    xor edx, edx
idle_hlt:
    hlt
    ret

# ---- ring 0: #GP. What needs ring 0 is done on the way in, where nobody waits for it: the saved RIP is moved
# past hlt, and the interrupt that ended the last sleep is acknowledged (while it was in service it held back
# others, which ring 3 does not take anyway; without one the write does nothing). An interrupt that came before
# is still pending (ring 3 runs with IF clear); sti holds it off until hlt, so none is lost. Some emulators let
# it in before hlt all the same (seen: nested SVM under QEMU's TCG, 1 in 10,000), which is no different.
general_protection:
    cmp qword ptr [rsp + 8], offset idle_hlt
    jne exception_stubs + 13 * 16
    inc qword ptr [rsp + 8]
    wrmsr
    sti
wait_hlt:
    hlt
    jmp wait_hlt

# ---- ring 0: every interrupt. Only ever taken in general_protection: the frame that returns to ring 3 lies
# behind its own and the error code (both on 16-octet boundaries: nothing in between).
interrupt:
    add rsp, 48
    iretq

# ---- ring 0: exceptions 0..31, 16 octets each
.balign 16
exception_stubs:
.set vector, 0
.rept 32
.balign 16
.if vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21 || vector == 29 || vector == 30
.else
    push 0
.endif
    push vector
    jmp fault
.set vector, vector + 1
.endr

fault:
    mov qword ptr [fault_record + RECORD_RAX], rax
    mov qword ptr [fault_record + RECORD_RAX + 8], rbx
    mov qword ptr [fault_record + RECORD_RAX + 16], rcx
    mov qword ptr [fault_record + RECORD_RAX + 24], rdx
    mov qword ptr [fault_record + RECORD_RAX + 32], rsi
    mov qword ptr [fault_record + RECORD_RAX + 40], rdi
    mov qword ptr [fault_record + RECORD_RAX + 48], rbp
    mov qword ptr [fault_record + RECORD_RAX + 56], r8
    mov qword ptr [fault_record + RECORD_RAX + 64], r9
    mov qword ptr [fault_record + RECORD_RAX + 72], r10
    mov qword ptr [fault_record + RECORD_RAX + 80], r11
    mov qword ptr [fault_record + RECORD_RAX + 88], r12
    mov qword ptr [fault_record + RECORD_RAX + 96], r13
    mov qword ptr [fault_record + RECORD_RAX + 104], r14
    mov qword ptr [fault_record + RECORD_RAX + 112], r15
    mov rax, cr2
    mov qword ptr [fault_record + RECORD_CR2], rax
    mov rax, [rsp]
    mov qword ptr [fault_record + RECORD_VECTOR], rax
    mov rax, [rsp + 8]
    mov qword ptr [fault_record + RECORD_ERROR], rax
    mov rax, [rsp + 16]
    mov qword ptr [fault_record + RECORD_RIP], rax
    mov rax, [rsp + 32]
    mov qword ptr [fault_record + RECORD_RFLAGS], rax
    mov rax, [rsp + 40]
    mov qword ptr [fault_record + RECORD_RSP], rax
    mov edi, offset fault_record
    mov edx, PVPANIC
    mov eax, 1
    out dx, al
2:  cli
    hlt
    jmp 2b

# ---- tables
.balign 8
.word 0
gdt_pointer:
    .word gdt_end - gdt - 1
    .quad gdt
.balign 8
.word 0
idt_pointer:
    .word 256 * 16 - 1
    .quad idt

.balign 16
gdt:
    .quad 0, 0
    .quad 0x00af9b000000ffff          # 0x10 ring 0 code, 64-bit
    .quad 0x00cf93000000ffff          # 0x18 ring 0 data
    .quad 0
    .quad 0x00cff3000000ffff          # 0x28 ring 3 data
    .quad 0x00affb000000ffff          # 0x30 ring 3 code, 64-bit
    .quad 0
    .word 0x67, task - boot_base      # 0x40 TSS, available
    .byte IMAGE_HIGH, 0x89, 0, 0
    .quad 0
gdt_end:

.balign 16
task:
    .long 0
    .quad kernel_stack_top            # RSP0
    .fill 92, 1, 0
    .word 0x68                        # no I/O permission map

.macro gate at
    .word \at - boot_base, KERNEL_CODE, 0x8e00, IMAGE_HIGH
    .quad 0
.endm

.balign 16
idt:
.set vector, 0
.rept 32
.if vector == 13
    gate general_protection
.else
    .word exception_stubs - boot_base + 16 * vector, KERNEL_CODE, 0x8e00, IMAGE_HIGH
    .quad 0
.endif
.set vector, vector + 1
.endr
.rept 224
    gate interrupt
.endr

# Identity map of 4 GiB, open to ring 3, in 2 MiB pages. The first 2 MiB are in 4 KiB pages: page 0 and the
# page below the stack are not mapped. The same 4 GiB are mapped again from 4 GiB on: what the program reaches
# as guest-physical memory (rings, buffers, boot structures, registers) has no address 0 there.
.balign 4096
.globl page_map
page_map:
    .quad directory_pointers + 7
    .fill 511, 8, 0
directory_pointers:
.rept 2
    .quad directories + 7, directories + 0x1000 + 7, directories + 0x2000 + 7, directories + 0x3000 + 7
.endr
    .fill 504, 8, 0
directories:
    .quad first_pages + 7
.set page, 1
.rept 2047
    .quad (page << 21) + 0x87
.set page, page + 1
.endr
first_pages:
.set page, 0
.rept 512
.if page == 0 || page == USER_STACK_GUARD
    .quad 0
.else
    .quad (page << 12) + 7
.endif
.set page, page + 1
.endr

.balign 64
.globl clock_page
clock_page:
    .fill 64, 1, 0
.globl steal_page
steal_page:
    .fill 64, 1, 0

.balign 16
    .fill 1024, 1, 0
kernel_stack_top:
