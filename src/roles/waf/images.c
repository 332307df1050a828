/* SPDX-License-Identifier: Apache-2.0 */
/* The image in force: published to the workers, and kept in the data folder, so that a restart need
 * not compile. Beside it lies what it was made of: {"digest", "rules"}. */
#include "base/fd.h"
#include "base/mem.h"
#include "codec/json.h"
#include "log/log.h"
#include "waf/job.h"
#include "waf/waf.h"
#include "waf/waf_internal.h"

#include "snapshot/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define IMAGE_FILE "image"
#define NEW_FILE   "image.new"
#define NOTE_FILE  "image.json"

struct images {
    int data_fd;
    struct snapshot_publisher *publisher;
    char digest[72];
    uint64_t rules;
};

const char *images_digest(const struct images *images)
{
    return images->digest;
}

uint64_t images_rules(const struct images *images)
{
    return images->rules;
}

/* Checked as a worker does: a damaged file is not published. */
static int publish(struct images *images, const char *name, struct err *err)
{
    CLEANUP(buf_free) struct buf image = BUF_INIT(WAF_IMAGE_MAX);
    CLEANUP(snapshot_free_ptr) struct snapshot *checked = NULL;
    uint64_t generation;

    TRY(fd_read_file(images->data_fd, name, &image, err));
    TRY(snapshot_from_bytes(&waf_snapshot, buf_span(&image), &checked, err));
    return snapshot_publish(images->publisher, &image, &generation, err);
}

static void keep(struct images *images, const char *digest, uint64_t rules)
{
    snprintf(images->digest, sizeof(images->digest), "%s", digest);
    images->rules = rules;
}

static int take_last(struct images *images, struct err *err)
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(WAF_VERDICT_MAX);
    CLEANUP_JSON json_t *note = NULL;

    TRY(fd_read_file(images->data_fd, NOTE_FILE, &text, err));
    TRY(codec_json_parse(buf_span(&text), NOTE_FILE, &note, err));
    TRY(publish(images, IMAGE_FILE, err));
    keep(images, codec_json_text(note, "digest", ""),
         (uint64_t)json_integer_value(json_object_get(note, "rules")));
    return 0;
}

int images_open(struct waf *waf, struct images **out, struct err *err)
{
    struct images *images = mem_new(sizeof(*images));
    CLEANUP_FD int run_fd = fd_open_dir(AT_FDCWD, role_own_run_dir(waf->role), err);
    struct err why = ERR_INIT;

    *out = images;
    images->data_fd = -1;
    TRY(run_fd);
    images->data_fd = fd_open_dir(AT_FDCWD, role_data_dir(waf->role), err);
    TRY(images->data_fd);
    TRY(snapshot_publisher_open(&waf_snapshot, &run_fd, &images->publisher, err));
    /* Whatever is wrong with it, it is made anew. */
    if (take_last(images, &why) < 0 && why.code != ERR_NOT_FOUND)
        log_error("waf.image", &why);
    return 0;
}

void images_free(struct images *images)
{
    if (images == NULL)
        return;
    snapshot_publisher_free(images->publisher);
    fd_close(&images->data_fd);
    free(images);
}

int images_begin(struct images *images, struct err *err)
{
    int fd = openat(images->data_fd, NEW_FILE,
                    O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);

    return fd < 0 ? err_sys(err, "cannot write %s", NEW_FILE) : fd;
}

/* An image under the note of another one is compiled again at the next start: that is all that a
 * crash between the two does. */
int images_take(struct images *images, const char *digest, uint64_t rules, struct err *err)
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(WAF_VERDICT_MAX);
    CLEANUP_JSON json_t *note =
        json_pack("{s:s, s:I}", "digest", digest, "rules", (json_int_t)rules);

    TRY(publish(images, NEW_FILE, err));
    keep(images, digest, rules);
    codec_json_put(note, &text);
    if (unlinkat(images->data_fd, NOTE_FILE, 0) < 0 && errno != ENOENT)
        return err_sys(err, "cannot remove %s", NOTE_FILE);
    if (renameat(images->data_fd, NEW_FILE, images->data_fd, IMAGE_FILE) < 0)
        return err_sys(err, "cannot keep the image");
    return fd_replace_file(images->data_fd, NOTE_FILE, 0600, buf_span(&text), false, err);
}
