/* The names of the ABI's numbers: hypercalls and sub-operations, from the table in abi.def; errors,
 * virtual interrupts, exceptions and reserved domains. What is served, and the names of arguments'
 * contents, are not here. Called by the hypervisor's log and trace, and by the trace reader. */
#include "common/abi_names.h"
#include "common/compiler.h"
#include "gen/abi_tables.h"

const char *abi_hypercall_name(unsigned nr)
{
    return nr < ARRAY_SIZE(calls) ? calls[nr].name : NULL;
}

const char *abi_argument_kinds(unsigned nr)
{
    return abi_hypercall_name(nr) != NULL ? calls[nr].kinds : "pppppp";
}

unsigned abi_kind_words(char kind)
{
    return kind_words[kind & 127];
}

const char *abi_operation_name(unsigned nr, uint64_t op)
{
    return nr < ARRAY_SIZE(operations) && op < operations[nr].nr ? operations[nr].names[op] : NULL;
}

/* A list, not an array by number: the header gives some numbers two names, of which the first is
 * the better known. */
static const struct {
    uint8_t nr;
    char name[15];
} errors[] = {
#define XEN_ERRNO(name, value) { value, #name },
#include <public/errno.h>
};

const char *abi_errno_name(unsigned nr)
{
    for (unsigned i = 0; i < ARRAY_SIZE(errors); i++)
        if (errors[i].nr == nr)
            return errors[i].name;
    return NULL;
}

#define N(name) [name] = #name
static const char *const virqs[] = {
    N(VIRQ_TIMER),    N(VIRQ_DEBUG),    N(VIRQ_CONSOLE),  N(VIRQ_DOM_EXC),    N(VIRQ_TBUF),
    N(VIRQ_DEBUGGER), N(VIRQ_XENOPROF), N(VIRQ_CON_RING), N(VIRQ_PCPU_STATE), N(VIRQ_MEM_EVENT),
    N(VIRQ_ARGO),     N(VIRQ_ENOMEM),   N(VIRQ_XENPMU),   N(VIRQ_ARCH_0),     N(VIRQ_ARCH_1),
    N(VIRQ_ARCH_2),   N(VIRQ_ARCH_3),   N(VIRQ_ARCH_4),   N(VIRQ_ARCH_5),     N(VIRQ_ARCH_6),
    N(VIRQ_ARCH_7),
};

const char *abi_virq_name(unsigned virq)
{
    return virq < ARRAY_SIZE(virqs) ? virqs[virq] : NULL;
}

const char *abi_trap_name(unsigned vector)
{
    static const char *const names[] = {
        "#DE", "#DB", "NMI", "#BP", "#OF", "#BR", "#UD", "#NM", "#DF", NULL,  "#TS",
        "#NP", "#SS", "#GP", "#PF", NULL,  "#MF", "#AC", "#MC", "#XM", "#VE", "#CP",
    };
    return vector < ARRAY_SIZE(names) ? names[vector] : NULL;
}

const char *abi_domid_name(unsigned domid)
{
    static const char *const names[] = {
#define D(name) [name - DOMID_FIRST_RESERVED] = #name
        D(DOMID_SELF), D(DOMID_IO), D(DOMID_XEN), D(DOMID_COW), D(DOMID_INVALID), D(DOMID_IDLE),
    };
    return domid - DOMID_FIRST_RESERVED < ARRAY_SIZE(names) ? names[domid - DOMID_FIRST_RESERVED]
                                                            : NULL;
}
