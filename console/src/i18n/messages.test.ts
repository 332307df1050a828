// SPDX-License-Identifier: Apache-2.0
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, normalize } from 'node:path';
import { describe, expect, it } from 'vitest';
import { words as enAdmin } from './en/admin';
import { words as enCore } from './en/core';
import { words as enDefence } from './en/defence';
import { words as enIdentity } from './en/identity';
import { words as enPeople } from './en/people';
import { words as enWork } from './en/work';
import { makeFormat } from './format';
import { fill, type Catalogue } from './index';
import { words as zhAdmin } from './zh/admin';
import { words as zhCore } from './zh/core';
import { words as zhDefence } from './zh/defence';
import { words as zhIdentity } from './zh/identity';
import { words as zhPeople } from './zh/people';
import { words as zhWork } from './zh/work';

const en = { ...enCore, ...enWork, ...enIdentity, ...enAdmin, ...enPeople, ...enDefence };
const zh = { ...zhCore, ...zhWork, ...zhIdentity, ...zhAdmin, ...zhPeople, ...zhDefence };

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

/** The files that come with a page, and the areas of the words in them. */
function areasOf(file: string, seen = new Set<string>()): Set<string> {
  const areas = new Set<string>();
  if (seen.has(file)) return areas;
  seen.add(file);
  const text = readFileSync(file, 'utf8');
  for (const [area, words] of Object.entries({ work: enWork, identity: enIdentity, admin: enAdmin, people: enPeople, defence: enDefence })) {
    if (Object.keys(words).some((key) => text.includes(`'${key.replace(/_(one|other)$/, '')}'`))) areas.add(area);
  }
  for (const [, path] of text.matchAll(/(?:from|import\() ?'(\.[^']+)'/g)) {
    const next = [`${dirname(file)}/${path}.tsx`, `${dirname(file)}/${path}.ts`].map((each) => normalize(each)).find((each) => existsSync(each));
    if (next && !next.includes('i18n')) for (const area of areasOf(next, seen)) areas.add(area);
  }
  return areas;
}

describe('a page', () => {
  const app = readFileSync('src/App.tsx', 'utf8');
  const pages = [...app.matchAll(/page\(\(\) => import\('\.\/([^']+)'\)([^)]*)\)/g)].map((m) => [m[1] ?? '', m[2] ?? '']);
  it.each(pages)('%s asks for the words that it uses', (file, areas) => {
    expect([...areasOf(`src/${file}.tsx`)].filter((area) => !areas.includes(`'${area}'`))).toEqual([]);
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
