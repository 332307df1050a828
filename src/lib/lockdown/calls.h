/* SPDX-License-Identifier: Apache-2.0 */
/* Names of system calls, separated by blanks. */
#ifndef DRUN_LOCKDOWN_CALLS_H
#define DRUN_LOCKDOWN_CALLS_H

/* Memory, time, signals to itself, and everything on descriptors that are open. A stat by path is
 * here because fstat is one since glibc 2.33. */
extern const char lockdown_calls_always[];
extern const char lockdown_calls_files[];
extern const char lockdown_calls_sockets[];
extern const char lockdown_calls_programs[];
/* Refused without LOCKDOWN_EXEC, with an error that says so. */
extern const char lockdown_calls_refused[];
/* Changes the node itself; no role and no sandbox needs it. */
extern const char lockdown_calls_node[];
/* The tools of a takeover. */
extern const char lockdown_calls_attacks[];
/* The same; and the leak checker of AddressSanitizer needs them. */
extern const char lockdown_calls_debug[];

#endif
