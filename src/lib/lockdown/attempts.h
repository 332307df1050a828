/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of lockdown try in their children, and where. */
#ifndef DRUN_LOCKDOWN_ATTEMPTS_H
#define DRUN_LOCKDOWN_ATTEMPTS_H

#include "lockdown/lockdown.h"

enum { ATTEMPT_UID = 65534 };

/* ro/file, rw/file, and out_file, which no lockdown lists. A listener on TCP and one on an abstract
 * Unix socket belong to the test process. */
struct stage {
    char base[32];
    char ro[64];
    char rw[64];
    char ro_file[80];
    char rw_file[80];
    char out_file[80];
    struct lockdown_report *report; /* shared with the children */
    int inet_fd;                    /* a TCP socket from before the lockdown */
    int tcp_port;
};

extern struct stage stage;

/* For cmocka. */
int stage_init(void **state);
int stage_clear(void **state);

/* 0 when it went well, else errno or what the name asks for. */
typedef int attempt_fn(void);

int try_nothing(void);
int try_read_passwd(void);
int try_read_out(void);
int try_read_ro(void);
int try_write_ro(void);
int try_make_in_ro(void);
int try_make_in_rw(void);
int try_socket_inet(void);
int try_socket_inet6_udp(void);
int try_socket_netlink(void);
int try_socket_unix(void);
int try_connect_inherited_tcp(void);
int try_connect_new_tcp(void);
int try_connect_abstract(void);
int try_signal_parent(void);
int try_raise_abort(void);
int try_trace(void);
int try_run_true(void);
int try_exec_true(void);
int try_executable_memory(void);
int try_enter_user_namespace(void);
int try_clone_namespace(void);
int try_mount_tmpfs(void);
int try_private_tmpfs(void);
int try_load_module(void);
int try_use_keyring(void);
int try_use_bpf(void);
int try_use_perf(void);
int try_read_other_memory(void);
int try_use_io_uring(void);
int try_use_unknown_call(void);
int try_regain_root(void);
int try_start_thread(void);
int try_has_no_rights_left(void);
int try_root_is_empty(void);
int try_make_in_root(void);

#endif
