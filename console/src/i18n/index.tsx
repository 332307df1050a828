// SPDX-License-Identifier: Apache-2.0
// Two languages, one type: English is the source, and a key or a {placeholder} that the other lacks
// does not compile or does not pass the tests. The words of an area are a chunk of their own in each language,
// which comes with the pages that need it (needWords); those of "core" are there from the start.
import { createContext, type ReactNode, useCallback, useContext, useMemo, useState } from 'react';
import type { words as admin } from './en/admin';
import type { words as core } from './en/core';
import type { words as defence } from './en/defence';
import type { words as identity } from './en/identity';
import type { words as people } from './en/people';
import type { words as work } from './en/work';
import { remember } from '../lib/choice';
import { type Format, type Language, makeFormat } from './format';

export type { Language };
interface Areas {
  core: typeof core;
  work: typeof work;
  identity: typeof identity;
  admin: typeof admin;
  people: typeof people;
  defence: typeof defence;
}
export type Area = keyof Areas;
/** What another language must have of an area. */
export type Words<A extends Area> = Record<keyof Areas[A], string>;
type Source = typeof core & typeof work & typeof identity & typeof admin & typeof people & typeof defence;
export type Key = keyof Source;
export type Catalogue = Record<Key, string>;

type Placeholders<S> = S extends `${string}{${infer P}}${infer Rest}` ? P | Placeholders<Rest> : never;
type Arguments<K extends Key> = [Placeholders<Source[K]>] extends [never] ? [] : [Record<Placeholders<Source[K]>, string | number>];
/** A message without placeholders: what tables of labels hold. */
export type PlainKey = { [K in Key]: [Placeholders<Source[K]>] extends [never] ? K : never }[Key];
type Counted = { [K in Key]: K extends `${infer Base}_other` ? Base : never }[Key];

export interface I18n {
  language: Language;
  setLanguage(language: Language): void;
  t<K extends Key>(key: K, ...args: Arguments<K>): string;
  /** For a number of things: KEY_one or KEY_other, whose {n} is the number. */
  tn(key: Counted, n: number): string;
  f: Format;
}

export function fill(template: string, values: Record<string, string | number>, f: Format): string {
  return template.replace(/\{(\w+)\}/g, (whole, name: string) => {
    const value = values[name];
    if (value === undefined) return whole;
    return typeof value === 'number' ? f.number(value) : value;
  });
}

const files: Record<Language, { [A in Area]: () => Promise<{ words: Words<A> }> }> = {
  en: {
    core: () => import('./en/core'), work: () => import('./en/work'), identity: () => import('./en/identity'),
    admin: () => import('./en/admin'), people: () => import('./en/people'), defence: () => import('./en/defence'),
  },
  'zh-CN': {
    core: () => import('./zh/core'), work: () => import('./zh/work'), identity: () => import('./zh/identity'),
    admin: () => import('./zh/admin'), people: () => import('./zh/people'), defence: () => import('./zh/defence'),
  },
};
const needed = new Set<Area>(['core']);
const catalogues: Record<Language, Partial<Catalogue>> = { en: {}, 'zh-CN': {} };

async function load(language: Language): Promise<void> {
  let known;
  do {
    known = needed.size; // a page may begin to load meanwhile
    const loaded = await Promise.all([...needed].map((area) => files[language][area]()));
    Object.assign(catalogues[language], ...loaded.map(({ words }) => words));
  } while (known !== needed.size);
}

/** The words of these areas are there when it resolves, also after a change of the language. */
export async function needWords(...areas: Area[]): Promise<void> {
  for (const area of areas) needed.add(area);
  await load(initialLanguage());
}

export function initialLanguage(): Language {
  return document.documentElement.lang === 'zh-CN' ? 'zh-CN' : 'en';
}

const Context = createContext<I18n | null>(null);

export function I18nProvider({ children }: { children: ReactNode }) {
  const [language, setShown] = useState(initialLanguage);

  const setLanguage = useCallback((next: Language) => {
    void load(next).then(() => {
      document.documentElement.lang = next;
      remember('language', next);
      setShown(next);
    });
  }, []);

  const value = useMemo<I18n>(() => {
    const f = makeFormat(language);
    const plural = new Intl.PluralRules(language);
    const catalogue = catalogues[language] as Catalogue;
    return {
      language,
      setLanguage,
      f,
      t: (key, ...args) => fill(catalogue[key], args[0] ?? {}, f),
      tn(key, n) {
        const one = `${key}_one` as Key;
        const template = plural.select(n) === 'one' && one in catalogue ? catalogue[one] : catalogue[`${key}_other` as Key];
        return fill(template, { n }, f);
      },
    };
  }, [language, setLanguage]);
  return <Context value={value}>{children}</Context>;
}

export function useI18n(): I18n {
  const value = useContext(Context);
  if (!value) throw new Error('useI18n outside I18nProvider');
  return value;
}
