// SPDX-License-Identifier: Apache-2.0
// The namespace that the pages look at; '' is all of them. Kept over reloads.
import { useSyncExternalStore } from 'react';

const KEY = 'drun.namespace';
const listeners = new Set<() => void>();

let current = (() => {
  try {
    return localStorage.getItem(KEY) ?? '';
  } catch {
    return '';
  }
})();

export function setNamespace(next: string): void {
  current = next;
  try {
    localStorage.setItem(KEY, next);
  } catch {
    // storage is switched off: the choice lasts as long as the page
  }
  for (const listener of listeners) listener();
}

export function useNamespace(): string {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => current,
  );
}
