// SPDX-License-Identifier: Apache-2.0
// The posture as a ring: a segment a control, a gap between chapters. The list beside it says the same in words.
import type { Control } from '../../api/types';
import { useI18n } from '../../i18n';
import { VERDICTS } from '../../ui/Status';
import { type Chapter, verdictOf } from './chapters';

const R = 88;
const CHAPTER_GAP = 0.06; // radians
const SEGMENT_GAP = 0.016;

function arc(from: number, to: number): string {
  const point = (angle: number) => `${(100 + R * Math.sin(angle)).toFixed(2)} ${(100 - R * Math.cos(angle)).toFixed(2)}`;
  return `M${point(from)}A${R} ${R} 0 ${to - from > Math.PI ? 1 : 0} 1 ${point(to)}`;
}

interface Segment {
  control: Control;
  d: string;
}

function segments(chapters: Chapter[]): Segment[] {
  const count = chapters.reduce((n, chapter) => n + chapter.controls.length, 0);
  const each = (2 * Math.PI - chapters.length * CHAPTER_GAP) / Math.max(count, 1);
  const out: Segment[] = [];
  let at = CHAPTER_GAP / 2;
  for (const chapter of chapters) {
    for (const control of chapter.controls) {
      out.push({ control, d: arc(at + SEGMENT_GAP / 2, at + each - SEGMENT_GAP / 2) });
      at += each;
    }
    at += CHAPTER_GAP;
  }
  return out;
}

export function Ring({ chapters, running, onOpen }: { chapters: Chapter[]; running: Set<string>; onOpen: (control: Control) => void }) {
  const { t, f } = useI18n();
  const controls = chapters.flatMap((chapter) => chapter.controls);
  const proven = controls.filter((control) => verdictOf(control) === 'proven').length;
  const summary = VERDICTS.map((verdict) => `${t(`verdict.${verdict}`)} ${controls.filter((c) => verdictOf(c) === verdict).length}`).join(', ');
  return (
    <div className="ring">
      <svg viewBox="0 0 200 200" role="img" aria-label={t('overview.ringLabel', { summary })}>
        {controls.length === 0 && <circle className="ring-track" cx="100" cy="100" r={R} />}
        {segments(chapters).map(({ control, d }) => (
          // The list of controls opens the same drawer from the keyboard.
           
          <path key={control.metadata.name} d={d} className={`seg seg-${verdictOf(control)}${running.has(control.metadata.name) ? ' seg-running' : ''}`} onClick={() => onOpen(control)}>
            <title>{control.spec.id}</title>
          </path>
        ))}
      </svg>
      <div className="ring-middle" aria-hidden="true">
        {controls.length > 0 && (
          <>
            <span className="ring-number num">
              {f.number(proven)}
              <span className="ring-of">/{f.number(controls.length)}</span>
            </span>
            <span className="muted small">{t('verdict.proven')}</span>
          </>
        )}
      </div>
    </div>
  );
}
