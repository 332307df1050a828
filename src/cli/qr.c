/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/qr.h"

#include <dlfcn.h>
#include <qrencode.h>
#include <stdbool.h>

enum { QUIET = 2 }; /* modules of margin; four by the standard, two are enough for cameras */

struct api {
    QRcode *(*encode)(const char *text, int version, QRecLevel level, QRencodeMode hint,
                      int case_sensitive);
    void (*release)(QRcode *code);
};

static int load(struct api *out, struct err *err)
{
    void *library = dlopen("libqrencode.so.4", RTLD_NOW | RTLD_LOCAL);

    if (library == NULL)
        return err_set(err, ERR_UNSUPPORTED, "libqrencode is not installed (package libqrencode4)");
    void *encode = dlsym(library, "QRcode_encodeString");
    void *release = dlsym(library, "QRcode_free");
    if (encode == NULL || release == NULL)
        return err_set(err, ERR_UNSUPPORTED, "this libqrencode cannot be used");
    memcpy(&out->encode, &encode, sizeof(encode));
    memcpy(&out->release, &release, sizeof(release));
    return 0;
}

static bool is_dark(const QRcode *code, int x, int y)
{
    return x >= 0 && y >= 0 && x < code->width && y < code->width &&
           (code->data[y * code->width + x] & 1) != 0;
}

/* Light on dark: terminals are dark more often than not, and the margin is drawn, too. */
static void put(const QRcode *code, struct buf *out)
{
    for (int y = -QUIET; y < code->width + QUIET; y += 2) {
        for (int x = -QUIET; x < code->width + QUIET; x++) {
            bool top = !is_dark(code, x, y);
            bool bottom = !is_dark(code, x, y + 1);
            buf_put_str(out, top ? (bottom ? "█" : "▀") : (bottom ? "▄" : " "));
        }
        buf_put_u8(out, '\n');
    }
}

int qr_put(const char *text, struct buf *out, struct err *err)
{
    struct api api = {.encode = NULL};

    TRY(load(&api, err));
    QRcode *code = api.encode(text, 0, QR_ECLEVEL_L, QR_MODE_8, 1);
    if (code == NULL)
        return err_set(err, ERR_TOO_LARGE, "the text does not fit into a QR code");
    put(code, out);
    api.release(code);
    return buf_check(out, "a QR code", err);
}
