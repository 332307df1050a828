// SPDX-License-Identifier: Apache-2.0
// Numbers, dates and durations as the reader's language writes them.
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../lib/duration';

export type Language = 'en' | 'zh-CN';

export interface Format {
  number(n: number): string;
  compact(n: number): string;
  decimal(n: number, digits: number): string;
  percent(share: number): string;
  bytes(n: number): string;
  ms(n: number): string;
  dateTime(t: string | number): string;
  date(t: string | number): string;
  clock(t: number): string;
  second(t: string | number): string;
  relative(t: string | number, now?: number): string;
}

export function makeFormat(language: Language): Format {
  const locale = language === 'en' ? 'en-GB' : language;
  const number = new Intl.NumberFormat(locale);
  const compact = new Intl.NumberFormat(locale, { notation: 'compact', maximumFractionDigits: 1 });
  const percent = new Intl.NumberFormat(locale, { style: 'percent', maximumFractionDigits: 0 });
  const dateTime = new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'medium' });
  const date = new Intl.DateTimeFormat(locale, { dateStyle: 'medium' });
  const clock = new Intl.DateTimeFormat(locale, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
  const second = new Intl.DateTimeFormat(locale, { month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' });
  const relative = new Intl.RelativeTimeFormat(locale, { numeric: 'auto', style: 'short' });
  const decimal = (n: number, digits: number) => new Intl.NumberFormat(locale, { maximumFractionDigits: digits, minimumFractionDigits: digits }).format(n);
  const at = (t: string | number) => (typeof t === 'number' ? t : Date.parse(t));

  return {
    number: (n) => number.format(n),
    compact: (n) => compact.format(n),
    decimal,
    percent: (share) => percent.format(share),
    bytes(n) {
      const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
      let i = 0;
      while (n >= 1024 && i < units.length - 1) {
        n /= 1024;
        i += 1;
      }
      return `${decimal(n, i === 0 || n >= 100 ? 0 : 1)} ${units[i]}`;
    },
    // SI symbols are the same in every language.
    ms: (n) => (n < 1000 ? `${decimal(n, n < 10 ? 1 : 0)}\u00a0ms` : `${decimal(n / 1000, n < 10_000 ? 2 : 1)}\u00a0s`),
    dateTime: (t) => dateTime.format(at(t)),
    date: (t) => date.format(at(t)),
    clock: (t) => clock.format(t),
    second: (t) => second.format(at(t)),
    relative(t, now = Date.now()) {
      const ms = at(t) - now;
      const size = Math.abs(ms);
      if (size < MINUTE_MS) return relative.format(Math.round(ms / 1000), 'second');
      if (size < HOUR_MS) return relative.format(Math.round(ms / MINUTE_MS), 'minute');
      if (size < DAY_MS) return relative.format(Math.round(ms / HOUR_MS), 'hour');
      if (size < 60 * DAY_MS) return relative.format(Math.round(ms / DAY_MS), 'day');
      return date.format(at(t));
    },
  };
}
