/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include "base/num.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

enum { NS_PER_SEC = 1000000000 };

static uint64_t now_ns(clockid_t id)
{
    struct timespec now;

    INVARIANT(clock_gettime(id, &now) == 0);
    return (uint64_t)now.tv_sec * NS_PER_SEC + (uint64_t)now.tv_nsec;
}

uint64_t clock_mono_ns(void)
{
    return now_ns(CLOCK_MONOTONIC);
}

uint64_t clock_cpu_ns(void)
{
    return now_ns(CLOCK_THREAD_CPUTIME_ID);
}

uint64_t clock_wall_ns(void)
{
    return now_ns(CLOCK_REALTIME);
}

int64_t clock_wall_sec(void)
{
    return (int64_t)(clock_wall_ns() / NS_PER_SEC);
}

static void split_time(int64_t sec, struct tm *tm)
{
    time_t t = (time_t)sec;

    INVARIANT(gmtime_r(&t, tm) != NULL);
}

void clock_format_sec(int64_t sec, char out[CLOCK_TEXT_SIZE])
{
    struct tm tm;

    split_time(sec, &tm);
    INVARIANT(strftime(out, CLOCK_TEXT_SIZE, "%Y-%m-%dT%H:%M:%SZ", &tm) > 0);
}

void clock_format_ns(uint64_t ns, char out[CLOCK_TEXT_SIZE])
{
    struct tm tm;
    char whole[CLOCK_TEXT_SIZE];

    split_time((int64_t)(ns / NS_PER_SEC), &tm);
    INVARIANT(strftime(whole, sizeof(whole), "%Y-%m-%dT%H:%M:%S", &tm) > 0);
    snprintf(out, CLOCK_TEXT_SIZE, "%.20s.%06" PRIu64 "Z", whole, ns % NS_PER_SEC / 1000);
}

static bool take_digits(struct span *text, size_t count, int min, int max, int *out)
{
    int value = 0;

    if (text->len < count)
        return false;
    for (size_t i = 0; i < count; i++) {
        unsigned digit = (unsigned)text->p[i] - '0';
        if (digit > 9)
            return false;
        value = value * 10 + (int)digit;
    }
    *text = span_of(text->p + count, text->len - count);
    *out = value;
    return value >= min && value <= max;
}

static bool take_one_of(struct span *text, const char *set, char *out)
{
    if (text->len == 0 || text->p[0] == '\0' || strchr(set, text->p[0]) == NULL)
        return false;
    *out = (char)text->p[0];
    *text = span_of(text->p + 1, text->len - 1);
    return true;
}

static bool take_fraction(struct span *text)
{
    char c;
    size_t digits = 0;

    if (!take_one_of(text, ".", &c))
        return true;
    while (take_one_of(text, "0123456789", &c))
        digits++;
    return digits > 0 && digits <= 9;
}

/* "Z" or "+hh:mm". */
static bool take_offset(struct span *text, int *out_sec)
{
    char sign;
    char colon;
    int hours;
    int minutes;

    *out_sec = 0;
    if (take_one_of(text, "Zz", &sign))
        return true;
    if (!take_one_of(text, "+-", &sign) || !take_digits(text, 2, 0, 23, &hours) ||
        !take_one_of(text, ":", &colon) || !take_digits(text, 2, 0, 59, &minutes))
        return false;
    *out_sec = (hours * 3600 + minutes * 60) * (sign == '-' ? -1 : 1);
    return true;
}

/* False for a day that the month does not have. A leap second counts as the second after it. */
static bool to_seconds(const struct tm *parsed, int64_t *out_sec)
{
    struct tm tm = *parsed;
    int leap = parsed->tm_sec == 60;

    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    tm.tm_sec -= leap;
    *out_sec = (int64_t)timegm(&tm) + leap;
    return tm.tm_mday == parsed->tm_mday;
}

int clock_parse(struct span text, int64_t *out_sec, struct err *err)
{
    struct span rest = text;
    struct tm tm = {0};
    int offset;
    char c;

    bool good = take_digits(&rest, 4, 1970, 9999, &tm.tm_year) && take_one_of(&rest, "-", &c) &&
                take_digits(&rest, 2, 1, 12, &tm.tm_mon) && take_one_of(&rest, "-", &c) &&
                take_digits(&rest, 2, 1, 31, &tm.tm_mday) && take_one_of(&rest, "Tt ", &c) &&
                take_digits(&rest, 2, 0, 23, &tm.tm_hour) && take_one_of(&rest, ":", &c) &&
                take_digits(&rest, 2, 0, 59, &tm.tm_min) && take_one_of(&rest, ":", &c) &&
                take_digits(&rest, 2, 0, 60, &tm.tm_sec) && take_fraction(&rest) &&
                take_offset(&rest, &offset) && rest.len == 0;
    if (good && !to_seconds(&tm, out_sec))
        good = false;
    if (!good)
        return err_set(err, ERR_INVALID, "\"%.*s\" is not a time such as 2026-11-22T10:38:44Z",
                       (int)NUM_MIN(text.len, 40), (const char *)text.p);
    *out_sec -= offset;
    return 0;
}
