# memcpy, memmove, memset, memcmp, bcmp: what the compiler calls, which a target without libc lacks.
#
# Frames are small, and a `rep movs` costs more than the frame: short copies are overlapping loads and stores,
# longer ones 64 octets a round. Ring 3 may use SSE. System V calling convention: rdi, rsi, rdx; result in rax.
# All loads of a short copy come before its stores, so it may overlap; longer ones go backwards where they must.
# The names have a prefix so that they can be tested in a program that has a libc; an image adds the plain ones.

.section .text.memory, "ax", @progbits

.balign 32
.globl pinode_memmove
pinode_memmove:
.globl pinode_memcpy
pinode_memcpy:
    mov rax, rdi
    cmp rdx, 16
    jb 10f
    cmp rdx, 32
    ja 20f
    movups xmm0, [rsi]
    movups xmm1, [rsi + rdx - 16]
    movups [rdi], xmm0
    movups [rdi + rdx - 16], xmm1
    ret
10: cmp edx, 8
    jae 12f
    cmp edx, 4
    jae 13f
    test edx, edx
    je 11f
    mov r9d, edx
    shr r9d, 1
    movzx ecx, byte ptr [rsi]
    movzx r8d, byte ptr [rsi + r9]
    movzx r10d, byte ptr [rsi + rdx - 1]
    mov [rdi], cl
    mov [rdi + r9], r8b
    mov [rdi + rdx - 1], r10b
11: ret
12: mov rcx, [rsi]
    mov r8, [rsi + rdx - 8]
    mov [rdi], rcx
    mov [rdi + rdx - 8], r8
    ret
13: mov ecx, [rsi]
    mov r8d, [rsi + rdx - 4]
    mov [rdi], ecx
    mov [rdi + rdx - 4], r8d
    ret
20: cmp rdx, 64
    ja 30f
    movups xmm0, [rsi]
    movups xmm1, [rsi + 16]
    movups xmm2, [rsi + rdx - 32]
    movups xmm3, [rsi + rdx - 16]
    movups [rdi], xmm0
    movups [rdi + 16], xmm1
    movups [rdi + rdx - 32], xmm2
    movups [rdi + rdx - 16], xmm3
    ret
30: mov rcx, rdi                      # backwards if the destination begins inside the source
    sub rcx, rsi
    cmp rcx, rdx
    jb 40f
    movups xmm4, [rsi + rdx - 64]     # the tail, loaded before a store can reach it
    movups xmm5, [rsi + rdx - 48]
    movups xmm6, [rsi + rdx - 32]
    movups xmm7, [rsi + rdx - 16]
    lea r8, [rdi + rdx - 64]
31: movups xmm0, [rsi]
    movups xmm1, [rsi + 16]
    movups xmm2, [rsi + 32]
    movups xmm3, [rsi + 48]
    movups [rdi], xmm0
    movups [rdi + 16], xmm1
    movups [rdi + 32], xmm2
    movups [rdi + 48], xmm3
    add rsi, 64
    add rdi, 64
    cmp rdi, r8
    jb 31b
    movups [r8], xmm4
    movups [r8 + 16], xmm5
    movups [r8 + 32], xmm6
    movups [r8 + 48], xmm7
    ret
40: movups xmm4, [rsi]                # the head, likewise
    movups xmm5, [rsi + 16]
    movups xmm6, [rsi + 32]
    movups xmm7, [rsi + 48]
41: movups xmm0, [rsi + rdx - 16]
    movups xmm1, [rsi + rdx - 32]
    movups xmm2, [rsi + rdx - 48]
    movups xmm3, [rsi + rdx - 64]
    movups [rdi + rdx - 16], xmm0
    movups [rdi + rdx - 32], xmm1
    movups [rdi + rdx - 48], xmm2
    movups [rdi + rdx - 64], xmm3
    sub rdx, 64
    cmp rdx, 64
    ja 41b
    movups [rdi], xmm4
    movups [rdi + 16], xmm5
    movups [rdi + 32], xmm6
    movups [rdi + 48], xmm7
    ret

.balign 32
.globl pinode_memset
pinode_memset:
    mov rax, rdi
    movzx ecx, sil
    imul rcx, rcx, 0x01010101
    cmp rdx, 16
    jae 52f
    mov r8, rcx
    shl r8, 32
    or rcx, r8
    cmp edx, 8
    jae 50f
    cmp edx, 4
    jae 51f
    test edx, edx
    je 54f
    mov r9d, edx
    shr r9d, 1
    mov [rdi], cl
    mov [rdi + r9], cl
    mov [rdi + rdx - 1], cl
    ret
50: mov [rdi], rcx
    mov [rdi + rdx - 8], rcx
    ret
51: mov [rdi], ecx
    mov [rdi + rdx - 4], ecx
    ret
52: movd xmm0, ecx
    pshufd xmm0, xmm0, 0
    lea r8, [rdi + rdx - 16]
53: movups [rdi], xmm0
    add rdi, 16
    cmp rdi, r8
    jb 53b
    movups [r8], xmm0
54: ret

.balign 32
.globl pinode_bcmp
pinode_bcmp:
.globl pinode_memcmp
pinode_memcmp:
    xor ecx, ecx
60: cmp rcx, rdx
    jae 61f
    movzx eax, byte ptr [rdi + rcx]
    movzx r8d, byte ptr [rsi + rcx]
    inc rcx
    sub eax, r8d
    je 60b
    ret
61: xor eax, eax
    ret
