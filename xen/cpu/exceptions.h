/* Exception vectors (SDM vol. 3, 6.3). */
#ifndef XEN_EXCEPTIONS_H
#define XEN_EXCEPTIONS_H

#define TRAP_DE 0
#define TRAP_DB 1
#define TRAP_NMI 2
#define TRAP_BP 3
#define TRAP_OF 4
#define TRAP_UD 6
#define TRAP_NM 7
#define TRAP_TS 10
#define TRAP_NP 11
#define TRAP_SS 12
#define TRAP_GP 13
#define TRAP_PF 14
#define TRAP_MF 16
#define TRAP_AC 17
#define TRAP_XM 19

#endif
