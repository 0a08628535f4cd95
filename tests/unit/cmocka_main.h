/* cmocka.h needs these four headers before it. */
#ifndef CMOCKA_MAIN_H
#define CMOCKA_MAIN_H

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#endif
