// SPDX-License-Identifier: Apache-2.0
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { en } from './en';
import { makeFormat } from './format';
import { fill, type Catalogue } from './index';
import { zh } from './zh';

const source = en as Catalogue;
const keys = Object.keys(en) as (keyof typeof en)[];
const placeholders = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map((m) => m[1]).sort();

function sources(folder: string): string {
  return readdirSync(folder, { withFileTypes: true })
    .map((entry) => {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory()) return entry.name === 'i18n' ? '' : sources(path);
      return /\.tsx?$/.test(entry.name) && !entry.name.includes('.test.') ? readFileSync(path, 'utf8') : '';
    })
    .join('\n');
}

describe('the catalogues', () => {
  it('have the same messages', () => {
    expect(Object.keys(zh).sort()).toEqual([...keys].sort());
  });
  it('have the same placeholders in each message', () => {
    for (const key of keys) expect(placeholders(zh[key]), key).toEqual(placeholders(source[key]));
  });
  it('have no empty message, and none left in English', () => {
    const same = keys.filter((key) => zh[key] === source[key]);
    expect(same).toEqual([]);
    for (const key of keys) expect(zh[key].trim(), key).not.toBe('');
  });
  it('pair every _one with an _other', () => {
    for (const key of keys.filter((each) => each.endsWith('_one'))) expect(keys).toContain(key.replace(/_one$/, '_other'));
  });
  it('hold no message that no page uses', () => {
    const text = sources('src');
    // A key that code puts together, such as verdict.${verdict}, is used by its first part.
    const used = (key: string) => {
      const base = key.replace(/_(one|other)$/, '');
      return text.includes(`'${base}'`) || [...base.matchAll(/[.-]|(?<=[a-z])(?=[A-Z0-9])/g)].some((m) => text.includes(`\`${base.slice(0, m.index + (m[0] ? 1 : 0))}\${`));
    };
    expect(keys.filter((key) => !used(key))).toEqual([]);
  });
});

describe('messages', () => {
  it('format their numbers in the language', () => {
    expect(fill('{n} entries', { n: 12345 }, makeFormat('en'))).toBe('12,345 entries');
  });
  it('never run what a placeholder holds', () => {
    expect(fill('{a} {b}', { a: '{b}', b: '$&' }, makeFormat('en'))).toBe('{b} $&');
  });
});

describe('formats', () => {
  it('say how long ago in both languages', () => {
    const now = Date.parse('2026-01-10T00:00:00Z');
    expect(makeFormat('en').relative('2026-01-09T23:59:30Z', now)).toMatch(/30 sec/);
    expect(makeFormat('zh-CN').relative('2026-01-09T21:00:00Z', now)).toMatch(/3\s?小时前/);
  });
  it('write bytes and times with a unit', () => {
    expect(makeFormat('en').bytes(1536)).toBe('1.5 KiB');
    expect(makeFormat('en').ms(3.14)).toMatch(/^3.1\sms$/);
    expect(makeFormat('en').ms(2345)).toMatch(/^2.3[45]\ss$/);
  });
});
