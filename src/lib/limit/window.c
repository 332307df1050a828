/* SPDX-License-Identifier: Apache-2.0 */
/* When a window of the calendar ends. */
#include "limit/budget.h"

#include "base/num.h"

enum { DAY_SEC = 86400 };

/* The days before each month of a year that begins with March, so that a leap day is its last. */
static const uint16_t before_month[] = {0, 31, 61, 92, 122, 153, 184, 214, 245, 275, 306, 337, 367};

/* Day 0 of the year that begins with March 2000 and those behind it; 1970 lies 11,017 days before
 * it, so times count from 400 years, which are 146,097 days, earlier. */
enum { CYCLE_DAYS = 146097, TO_CYCLE = CYCLE_DAYS - 11017, CENTURY_DAYS = 36524, LEAP_DAYS = 1461 };

/* How many days from this one to the first of the next month. Of the day only the place in its
 * cycle of 400 years matters. */
static int64_t days_to_next_month(int64_t day)
{
    int64_t in_cycle = (day + TO_CYCLE) % CYCLE_DAYS;
    int64_t century = NUM_MIN(in_cycle / CENTURY_DAYS, 3);
    int64_t in_century = in_cycle - century * CENTURY_DAYS;
    int64_t in_four = in_century % LEAP_DAYS;
    int64_t year = NUM_MIN(in_four / 365, 3);
    int64_t in_year = in_four - year * 365;
    bool is_leap = year == 3 && (in_century / LEAP_DAYS < 24 || century == 3);
    size_t month = (size_t)in_year / 32;

    while (before_month[month + 1] <= in_year)
        month++;
    return (month == 11 ? 365 + is_leap : before_month[month + 1]) - in_year;
}

int64_t limit_window_end(enum limit_window window, int64_t now_sec)
{
    static const int64_t lengths[] = {
        [LIMIT_MINUTE] = 60, [LIMIT_HOUR] = 3600, [LIMIT_DAY] = DAY_SEC};

    if (window != LIMIT_MONTH)
        return now_sec - now_sec % lengths[window] + lengths[window];
    return now_sec - now_sec % DAY_SEC + days_to_next_month(now_sec / DAY_SEC) * DAY_SEC;
}
