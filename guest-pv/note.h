/* Assembler: a note of the kind that a loader reads in the image. */
    .macro NOTE type, desc:vararg
    .pushsection .note.Xen, "a", @note
    .p2align 2
    .long 4, 2f - 1f, \type
    .asciz "Xen"
1:  \desc
2:  .p2align 2
    .popsection
    .endm
