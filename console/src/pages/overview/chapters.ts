// SPDX-License-Identifier: Apache-2.0
// Controls in the order of the whitepaper: by chapter, and within it by number.
import type { Control, VerdictName } from '../../api/types';
import type { PlainKey } from '../../i18n';

const CHAPTERS = ['ID', 'EN', 'BK', 'NW', 'CT', 'ML', 'MO', 'CO', 'PF'] as const;

export interface Chapter {
  id: string;
  /** null: a chapter that the console has no word for; the server's own is shown */
  title: PlainKey | null;
  text: string;
  controls: Control[];
}

export function verdictOf(control: Control): VerdictName {
  return control.status?.verdict ?? 'absent';
}

export function chaptersOf(controls: Control[]): Chapter[] {
  const byId = new Map<string, Chapter>();
  for (const control of controls) {
    const id = control.spec.id.split('-')[0] ?? '';
    const known = CHAPTERS.find((chapter) => chapter === id);
    const chapter = byId.get(id) ?? { id, title: known ? (`chapter.${known}` as const) : null, text: control.spec.chapter ?? id, controls: [] };
    chapter.controls.push(control);
    byId.set(id, chapter);
  }
  const rank = (id: string) => {
    const i = CHAPTERS.findIndex((chapter) => chapter === id);
    return i < 0 ? CHAPTERS.length : i;
  };
  const number = (control: Control) => Number(control.spec.id.split('-')[1] ?? 0);
  for (const chapter of byId.values()) chapter.controls.sort((a, b) => number(a) - number(b));
  return [...byId.values()].sort((a, b) => rank(a.id) - rank(b.id) || a.id.localeCompare(b.id));
}

/** Evidence as lines of text, whether the probe wrote one sentence, a list, or named values. */
export function evidenceLines(evidence: unknown): { name?: string; text: string }[] {
  if (evidence === undefined || evidence === null) return [];
  if (typeof evidence === 'string') return evidence.split('\n').filter(Boolean).map((text) => ({ text }));
  if (Array.isArray(evidence)) return evidence.flatMap(evidenceLines);
  if (typeof evidence === 'object') {
    return Object.entries(evidence).map(([name, value]) => ({ name, text: typeof value === 'string' ? value : JSON.stringify(value) }));
  }
  return [{ text: String(evidence) }];
}
