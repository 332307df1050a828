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

/** A proof marks what it tried ("holds: ", "DOES NOT HOLD: ") and leaves unmarked what it only noted. */
export function evidenceLines(evidence = ''): { holds?: boolean; text: string }[] {
  return evidence
    .split('\n')
    .filter(Boolean)
    .map((line) => {
      const [, mark, text] = /^(holds|DOES NOT HOLD): (.*)$/.exec(line) ?? [];
      return mark === undefined || text === undefined ? { text: line } : { holds: mark === 'holds', text };
    });
}

/** The first thing that did not hold, or else the first that was seen. */
export function whyOf(control: Control): string | undefined {
  const lines = evidenceLines(control.status?.evidence);
  return (lines.find((line) => line.holds === false) ?? lines[0])?.text;
}

/** Whether there is a proof that could run. */
export function isProvable(control: Control): boolean {
  return verdictOf(control) !== 'absent';
}
