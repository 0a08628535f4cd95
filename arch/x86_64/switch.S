/* The switch between the stacks of two vCPUs. Called by vcpu.c, which also prepares the stack of a
 * new vCPU. */

    .text

/* void switch_stack(uint64_t *save_sp, uint64_t load_sp): called by arch_switch (vcpu.c). */
    .globl switch_stack
switch_stack:
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
    mov %rsp, (%rdi)
    mov %rsi, %rsp
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    ret

/* The first switch_stack to a new vCPU returns here: rsp is 8 below its frame (arch_vcpu_init). */
    .globl fresh_vcpu
fresh_vcpu:
    call vcpu_first_run
    add $8, %rsp
    jmp exit_to_guest
