/* Instructions without effect, by which a plugin of QEMU (tools/counts) knows what belongs to a
 * sample of a row that is measured. Executed by the programs that measure: the test guest's suite
 * bench, tools/linux/costs. Elsewhere nothing sees them. */
#ifndef COUNTS_MARKS_H
#define COUNTS_MARKS_H

#define MARK_BEGIN 1                    /* of a sample */
#define MARK_END   2
#define MARK_ROW   3                    /* its samples have been measured */

/* nopl with a displacement of four bytes: the number, 0, 'P', 'G'. */
#define MARK(number) __asm__ volatile(MARK_CODE(number) : : : "memory")
#define MARK_CODE(number) MARK_CODE_(number)
#define MARK_CODE_(number) ".byte 0x0f, 0x1f, 0x84, 0, " #number ", 0, 'P', 'G'\n\t"

#endif
