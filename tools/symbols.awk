#!/usr/bin/awk -f
# Makes the hypervisor's table of symbols, as assembler, from `nm -n` of its first link; without
# input, an empty table. It has the text symbols from _stext on, sorted by address, one for each
# address, without local labels. Addresses stay strings of 16 digits here, and the assembler
# subtracts them. Called by xen/xen.mk; arch/x86_64/symbols.c reads the table.
BEGIN { n = 0 }
$3 == "_stext" { base = $1 }
$2 ~ /^[tTwW]$/ && $3 !~ /^[.$]/ && base != "" && $1 "" != last {
    last = $1 ""; addr[n] = last; name[n++] = $3
}
END {
    print ".section .symtab_ro, \"a\""
    print ".global ksym_count, ksym_offsets, ksym_names, ksym_strings"
    print ".balign 4\nksym_count: .long " n + 0
    print "ksym_offsets:"; for (i = 0; i < n; i++) print ".long 0x" addr[i] " - 0x" base
    print "ksym_names:";   for (i = 0; i < n; i++) print ".long .Ln" i " - ksym_strings"
    print "ksym_strings:"; for (i = 0; i < n; i++) print ".Ln" i ": .asciz \"" name[i] "\""
    print ".section .note.GNU-stack, \"\", @progbits"
}
