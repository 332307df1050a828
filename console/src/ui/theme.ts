// SPDX-License-Identifier: Apache-2.0
// Light, dark, or what the system says. public/boot.js sets the first one before the page is drawn.
import { useSyncExternalStore } from 'react';
import { remember } from '../lib/choice';

export type ThemeChoice = 'system' | 'light' | 'dark';

const KEY = 'drun.theme';
const system = matchMedia('(prefers-color-scheme: dark)');
const listeners = new Set<() => void>();

function read(): ThemeChoice {
  try {
    const stored = localStorage.getItem(KEY);
    return stored === 'light' || stored === 'dark' ? stored : 'system';
  } catch {
    return 'system';
  }
}

let choice = read();

function apply(): void {
  const dark = choice === 'dark' || (choice === 'system' && system.matches);
  document.documentElement.dataset.theme = dark ? 'dark' : 'light';
  document.querySelector('meta[name="theme-color"]')?.setAttribute('content', dark ? '#0e0f12' : '#f6f5f2');
  for (const listener of listeners) listener();
}

system.addEventListener('change', apply);
apply();

export function setTheme(next: ThemeChoice): void {
  choice = next;
  remember('theme', next === 'system' ? null : next);
  apply();
}

export function useTheme(): ThemeChoice {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => choice,
  );
}
