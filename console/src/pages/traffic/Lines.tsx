// SPDX-License-Identifier: Apache-2.0
// Lines over time, drawn by hand as the bars are (ui/Chart): the lines stretch with the page, the words do not.
import { type PointerEvent, useState } from 'react';
import { useI18n } from '../../i18n';
import './lines.css';

export interface Line {
  name: string;
  tone: 'one' | 'two' | 'three';
  values: (number | null)[]; // null: nothing to say of that time
}

/** The least of 1, 2, 5 × 10^n that is not below x. */
function niceMax(x: number): number {
  const size = 10 ** Math.floor(Math.log10(Math.max(x, 1)));
  return [1, 2, 5, 10].map((m) => m * size).find((m) => m >= x) ?? x;
}

function pathOf(values: (number | null)[], max: number): string {
  let open = false;
  return values
    .map((value, i) => {
      if (value === null) {
        open = false;
        return '';
      }
      const at = `${i * 10 + 5} ${100 - (value / max) * 100}`;
      const step = open ? `L${at}` : `M${at}h0.01`; // a point alone is seen, too
      open = true;
      return step;
    })
    .join('');
}

export function Lines({ title, starts, lines, format, clock }: { title: string; starts: number[]; lines: Line[]; format: (value: number) => string; clock?: (time: number) => string }) {
  const { t, f } = useI18n();
  const [hover, setHover] = useState<number | null>(null);
  const all = lines.flatMap((line) => line.values.filter((value): value is number => value !== null));
  const max = niceMax(Math.max(1, ...all));
  const width = Math.max(1, starts.length) * 10;
  const time = clock ?? f.clock;
  const shown = hover ?? starts.length - 1;
  const onMove = (event: PointerEvent<HTMLElement>) => {
    const box = event.currentTarget.getBoundingClientRect();
    setHover(Math.min(starts.length - 1, Math.max(0, Math.floor(((event.clientX - box.left) / box.width) * starts.length))));
  };
  const valueOf = (line: Line) => {
    const value = line.values[shown];
    return value === null || value === undefined ? '–' : format(value);
  };
  return (
    <figure className="chart">
      <figcaption className="chart-head">
        <span className="strong">{title}</span>
        <span className="chart-legend">
          {hover !== null && <span className="num muted">{time(starts[hover] ?? 0)}</span>}
          {lines.map((line) => (
            <span key={line.name} className="row">
              <span className={`key line-key-${line.tone}`} aria-hidden="true" />
              {line.name}
              <span className="num strong">{valueOf(line)}</span>
            </span>
          ))}
        </span>
      </figcaption>
      <div className="chart-plot" onPointerMove={onMove} onPointerLeave={() => setHover(null)}>
        <div className="chart-scale num" aria-hidden="true">
          <span>{format(max)}</span>
          <span>{format(max / 2)}</span>
          <span>{format(0)}</span>
        </div>
        <svg viewBox={`0 0 ${width} 100`} preserveAspectRatio="none" role="img" aria-label={t('traffic.lineSummary', { title, peak: all.length > 0 ? format(Math.max(...all)) : '–' })}>
          <path className="chart-grid" d={`M0 0.5H${width}M0 50H${width}`} vectorEffect="non-scaling-stroke" />
          {hover !== null && <rect className="chart-hover" x={hover * 10} y="0" width="10" height="100" />}
          {lines.map((line) => (
            <path key={line.name} className={`line line-${line.tone}`} d={pathOf(line.values, max)} vectorEffect="non-scaling-stroke" />
          ))}
        </svg>
      </div>
      <div className="chart-axis num" aria-hidden="true">
        <span>{time(starts[0] ?? 0)}</span>
        <span>{time(starts[starts.length - 1] ?? 0)}</span>
      </div>
    </figure>
  );
}
