/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A read from a TLS connection that does not ask for more when there is none. nginx reads until
 * OpenSSL says that it wants more, so each request costs a read(2) that finds nothing, and the way
 * through OpenSSL that makes an error of that.
 *
 * A read(2) that got less than it asked for has emptied the socket. When OpenSSL then gave all that
 * it had, there is nothing more, and what comes later is a new event, as nginx's are edge-triggered
 * (epoll(7)). ngx_unix_recv() knows the same of plain connections.
 */
#include "gateway/module/module.h"

#include "base/num.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

/* What the last read(2) said, for who just called SSL_read(). */
static bool socket_is_empty;

static long note_read(BIO *bio UNUSED, int what, const char *to UNUSED, size_t asked,
                      int number UNUSED, long more UNUSED, int rc, size_t *got)
{
    if (what == (BIO_CB_READ | BIO_CB_RETURN))
        socket_is_empty = rc > 0 && *got < asked;
    return rc;
}

/* nginx tells of these at the next read, and then does not ask OpenSSL again. */
static void note_failure(ngx_connection_t *c, int n)
{
    int why = SSL_get_error(c->ssl->connection, n);

    if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE)
        return;
    c->ssl->no_wait_shutdown = 1;
    c->ssl->no_send_shutdown = 1;
    if (why == SSL_ERROR_ZERO_RETURN || ERR_peek_error() == 0) {
        c->ssl->last = NGX_DONE;
        return;
    }
    c->ssl->last = NGX_ERROR;
    ngx_ssl_error(NGX_LOG_INFO, c->log, 0, (char *)(uintptr_t) "SSL_read() failed");
}

static bool is_unusual(const ngx_connection_t *c)
{
    return c->ssl->last == NGX_ERROR || c->ssl->last == NGX_DONE ||
           c->ssl->saved_write_handler != NULL || c->read->pending_eof || ERR_peek_error() != 0;
}

static ssize_t tls_recv(ngx_connection_t *c, u_char *out, size_t size)
{
    SSL *ssl = c->ssl->connection;
    size_t got = 0;

    if (is_unusual(c))
        return ngx_ssl_recv(c, out, size);
    while (got < size) {
        socket_is_empty = false;
        int n = SSL_read(ssl, out + got, (int)NUM_MIN(size - got, (size_t)INT_MAX));
        if (n <= 0) {
            note_failure(c, n);
            break;
        }
        got += (size_t)n;
        if (socket_is_empty && !SSL_has_pending(ssl)) {
            c->read->ready = 0;
            return (ssize_t)got;
        }
    }
    if (got == 0)
        return ngx_ssl_recv(c, out, size);
    c->read->ready = 1;
    return (ssize_t)got;
}

void gw_tls_read_once(ngx_http_request_t *r)
{
    ngx_connection_t *c = r->connection;

    /* A stream of HTTP/2 has no connection of its own; with the kernel's TLS a read is a record. */
    if (c->ssl == NULL || r->stream != NULL || c->recv != ngx_ssl_recv)
        return;
    BIO *bio = SSL_get_rbio(c->ssl->connection);
    if (BIO_get_ktls_recv(bio))
        return;
    BIO_set_callback_ex(bio, note_read);
    c->recv = tls_recv;
}
