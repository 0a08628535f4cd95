/* cmocka wants these four before it, in this order of nothing in particular. */
#ifndef CMOCKA_MAIN_H
#define CMOCKA_MAIN_H

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#endif
