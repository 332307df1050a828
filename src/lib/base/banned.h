/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Included in every file by the build. Functions here overflow, hide a length, break with threads,
 * run a shell or leak timing; calling one does not compile. The comment names what to use instead.
 */
#ifndef DRUN_BASE_BANNED_H
#define DRUN_BASE_BANNED_H

/* The headers that declare them come first, so that their own declarations still compile. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#define BANNED(name) name##_is_banned_see_banned_h

/* buf_put_str, snprintf, mem_strdup */
#undef strcpy
#define strcpy(...) BANNED(strcpy)
#undef strcat
#define strcat(...) BANNED(strcat)
#undef strncpy
#define strncpy(...) BANNED(strncpy)
#undef strncat
#define strncat(...) BANNED(strncat)
#undef stpcpy
#define stpcpy(...) BANNED(stpcpy)
#undef sprintf
#define sprintf(...) BANNED(sprintf)
#undef vsprintf
#define vsprintf(...) BANNED(vsprintf)
#undef gets
#define gets(...) BANNED(gets)

/* cursors over a span */
#undef strtok
#define strtok(...) BANNED(strtok)
#undef strtok_r
#define strtok_r(...) BANNED(strtok_r)
#undef sscanf
#define sscanf(...) BANNED(sscanf)
#undef fscanf
#define fscanf(...) BANNED(fscanf)
#undef scanf
#define scanf(...) BANNED(scanf)

/* num_parse_u64 */
#undef atoi
#define atoi(...) BANNED(atoi)
#undef atol
#define atol(...) BANNED(atol)
#undef atoll
#define atoll(...) BANNED(atoll)
#undef atof
#define atof(...) BANNED(atof)

/* gmtime_r, localtime_r, clock_format_sec */
#undef gmtime
#define gmtime(...) BANNED(gmtime)
#undef localtime
#define localtime(...) BANNED(localtime)
#undef ctime
#define ctime(...) BANNED(ctime)
#undef ctime_r
#define ctime_r(...) BANNED(ctime_r)
#undef asctime
#define asctime(...) BANNED(asctime)
#undef asctime_r
#define asctime_r(...) BANNED(asctime_r)

/* posix_spawn, or the agent's runner, with an argument vector */
#undef system
#define system(...) BANNED(system)
#undef popen
#define popen(...) BANNED(popen)

/* mkostemp, memfd_create */
#undef mktemp
#define mktemp(...) BANNED(mktemp)
#undef tmpnam
#define tmpnam(...) BANNED(tmpnam)
#undef tempnam
#define tempnam(...) BANNED(tempnam)

/* secret_random, RAND_bytes */
#undef rand
#define rand(...) BANNED(rand)
#undef srand
#define srand(...) BANNED(srand)
#undef random
#define random(...) BANNED(random)
#undef srandom
#define srandom(...) BANNED(srandom)
#undef drand48
#define drand48(...) BANNED(drand48)

/* loop_add_signals */
#undef signal
#define signal(...) BANNED(signal)

/* span_eq, and mem_equal_ct for anything secret */
#undef bcmp
#define bcmp(...) BANNED(bcmp)
#undef bcopy
#define bcopy(...) BANNED(bcopy)
#undef bzero
#define bzero(...) BANNED(bzero)

#endif
