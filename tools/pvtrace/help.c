/* What --help says: the table of options, what stands before it and behind. Called by options.c. */
#include <stdlib.h>
#include <string.h>

#include "tools/pvtrace/options.h"

static const char usage[] =
    "pvtrace shows what Xen PV guests ask of the hypervisor: every hypercall with its arguments,\n"
    "result and time, every trap, page fault, emulated instruction, event and switch.\n"
    "\n"
    "usage: pvtrace [options] FILE            a trace file; - is standard input\n"
    "       pvtrace [options] --ram MEMORY    a machine's memory, as a file that it shares (-f: live)\n"
    "       pvtrace [options] diff A B        what is different in trace B: counts, and where it begins\n";

static const char notes[] =
    "\n"
    "The lines look like strace's:\n"
    "  [d1v0 12.000124010] event_channel_op(EVTCHNOP_send, {port=5}) = 0 -> d2v0 <1.204 us>\n"
    "d1v0 is vCPU 0 of domain 1, and -> names who got an event from the call. Members of a multicall\n"
    "are indented below it. What stands between --- and --- is no call. A call during which something\n"
    "else had to be shown is <unfinished ...> and later <... resumed>; one that did not return has = ?.\n"
    "The time behind a call includes sleep, as in SCHEDOP_block, and waiting for the CPU; in the table\n"
    "that stands apart, below the total.\n"
    "\n"
    "Examples\n"
    "  pvtrace -c boot.trace                      what was asked, and what took longest?\n"
    "  pvtrace -e mmu -p d1 boot.trace            page-table updates of domain 1\n"
    "  pvtrace -e '!iret' -e '!sched' boot.trace  all but these\n"
    "  pvtrace -Z boot.trace                      what was refused, and why\n"
    "  pvtrace -r -e event,trap boot.trace        events and traps, and the time between them\n"
    "  pvtrace -f -C --ram /dev/shm/guest.ram     a running machine, with a table when it is over\n"
    "  pvtrace --json=boot.json --svg=boot.svg -c boot.trace\n"
    "  pvtrace diff good.trace bad.trace\n"
    "\n"
    "Exit status: 0; 1 when the input was damaged (what could be read is shown, and where it broke is\n"
    "said); 2 when something could not be done. diff: 0 same, 1 different, 2 trouble.\n";

static void print_row(const struct row *r)
{
    const char *argument = r->argument != NULL ? r->argument : "", *help = r->help;
    char left[80], letter[8] = "";

    if (r->letter != '\0')
        snprintf(letter, sizeof(letter), "-%c%s", r->letter, r->name != NULL ? ", " : "");
    snprintf(left, sizeof(left), "%s%s%s%s%s", letter, r->name != NULL ? "--" : "",
             r->name != NULL ? r->name : "", *argument == '\0' || *argument == '[' ? "" : " ", argument);
    printf(strlen(left) > 22 ? "  %s\n%24s" : "  %-22s", left, "");
    for (size_t len; *(help += strspn(help, "\n")) != '\0'; help += len) {
        len = strcspn(help, "\n");
        printf("%*s%.*s\n", help > r->help ? 24 : 0, "", (int)len, help);
    }
}

void print_help(void)
{
    fputs(usage, stdout);
    for (unsigned i = 0; i < nr_rows; i++)
        if (rows[i].action == HEADING)
            printf(rows[i].help[0] != '\0' ? "\n%s\n" : "\n", rows[i].help);
        else
            print_row(&rows[i]);
    fputs(notes, stdout);
    exit(0);
}
