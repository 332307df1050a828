// SPDX-License-Identifier: Apache-2.0
// Two catalogues, one type: English is the source, and a key or a {placeholder} that the other lacks
// does not compile or does not pass the tests. Each language is a chunk of its own.
import { createContext, type ReactNode, useCallback, useContext, useMemo, useState } from 'react';
import type { en } from './en';
import { type Format, type Language, makeFormat } from './format';

export type { Language };
export type Key = keyof typeof en;
export type Catalogue = Record<Key, string>;

type Placeholders<S> = S extends `${string}{${infer P}}${infer Rest}` ? P | Placeholders<Rest> : never;
type Arguments<K extends Key> = [Placeholders<(typeof en)[K]>] extends [never] ? [] : [Record<Placeholders<(typeof en)[K]>, string | number>];
/** A message without placeholders: what tables of labels hold. */
export type PlainKey = { [K in Key]: [Placeholders<(typeof en)[K]>] extends [never] ? K : never }[Key];
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

export async function loadCatalogue(language: Language): Promise<Catalogue> {
  return language === 'zh-CN' ? (await import('./zh')).zh : (await import('./en')).en;
}

export function initialLanguage(): Language {
  return document.documentElement.lang === 'zh-CN' ? 'zh-CN' : 'en';
}

const Context = createContext<I18n | null>(null);

export function I18nProvider({ language: first, catalogue: firstCatalogue, children }: { language: Language; catalogue: Catalogue; children: ReactNode }) {
  const [{ language, catalogue }, setLoaded] = useState({ language: first, catalogue: firstCatalogue });

  const setLanguage = useCallback((next: Language) => {
    void loadCatalogue(next).then((loaded) => {
      document.documentElement.lang = next;
      try {
        localStorage.setItem('drun.language', next);
      } catch {
        // storage is switched off: the choice lasts as long as the page
      }
      setLoaded({ language: next, catalogue: loaded });
    });
  }, []);

  const value = useMemo<I18n>(() => {
    const f = makeFormat(language);
    const plural = new Intl.PluralRules(language);
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
  }, [language, catalogue, setLanguage]);
  return <Context value={value}>{children}</Context>;
}

export function useI18n(): I18n {
  const value = useContext(Context);
  if (!value) throw new Error('useI18n outside I18nProvider');
  return value;
}
