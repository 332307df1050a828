// SPDX-License-Identifier: Apache-2.0
// Stacked bars over time, drawn by hand: the bars stretch with the page, the words do not.
import { type PointerEvent, useState } from 'react';
import { useI18n } from '../i18n';
import './chart.css';

export interface Series {
  name: string;
  tone: 'one' | 'two' | 'bad';
  values: number[];
}

/** The least of 1, 2, 4 × 10^n that is not below x, and never below 4: its half is whole. */
function niceMax(x: number): number {
  const size = 10 ** Math.floor(Math.log10(Math.max(x, 4)));
  return [1, 2, 4, 10].map((m) => m * size).find((m) => m >= Math.max(x, 4)) ?? x;
}

export function BarChart({ title, starts, series }: { title: string; starts: number[]; series: Series[] }) {
  const { t, f } = useI18n();
  const [hover, setHover] = useState<number | null>(null);
  const sums = starts.map((_, i) => series.reduce((n, s) => n + (s.values[i] ?? 0), 0));
  const max = niceMax(Math.max(...sums));
  const total = sums.reduce((a, b) => a + b, 0);
  const first = starts[0] ?? 0;
  const last = starts[starts.length - 1] ?? 0;

  const onMove = (event: PointerEvent<HTMLElement>) => {
    const box = event.currentTarget.getBoundingClientRect();
    setHover(Math.min(starts.length - 1, Math.max(0, Math.floor(((event.clientX - box.left) / box.width) * starts.length))));
  };
  const shown = hover === null ? null : (starts[hover] ?? null);

  return (
    <figure className="chart">
      <figcaption className="chart-head">
        <span className="strong">{title}</span>
        <span className="chart-legend">
          {shown !== null && <span className="num muted">{f.clock(shown)}</span>}
          {series.map((s) => (
            <span key={s.name} className="row">
              <span className={`key key-${s.tone}`} aria-hidden="true" />
              {s.name}
              <span className="num strong">{f.compact(hover === null ? s.values.reduce((a, b) => a + b, 0) : (s.values[hover] ?? 0))}</span>
            </span>
          ))}
        </span>
      </figcaption>
      <div className="chart-plot" onPointerMove={onMove} onPointerLeave={() => setHover(null)}>
        <div className="chart-scale num" aria-hidden="true">
          <span>{f.compact(max)}</span>
          <span>{f.compact(max / 2)}</span>
          <span>0</span>
        </div>
        <svg viewBox={`0 0 ${starts.length * 10} 100`} preserveAspectRatio="none" role="img" aria-label={t('chart.summary', { title, total: f.number(total), peak: f.number(Math.max(...sums)) })}>
          <path className="chart-grid" d={`M0 0.5H${starts.length * 10}M0 50H${starts.length * 10}`} vectorEffect="non-scaling-stroke" />
          {hover !== null && <rect className="chart-hover" x={hover * 10} y="0" width="10" height="100" />}
          {starts.map((start, i) => {
            let top = 100;
            return series.map((s) => {
              const height = ((s.values[i] ?? 0) / max) * 100;
              top -= height;
              return height > 0 && <rect key={`${start}${s.name}`} className={`bar bar-${s.tone}`} x={i * 10 + 1.5} y={top} width="7" height={height} />;
            });
          })}
        </svg>
      </div>
      <div className="chart-axis num" aria-hidden="true">
        <span>{f.clock(first)}</span>
        <span>{f.clock((first + last) / 2)}</span>
        <span>{f.clock(last)}</span>
      </div>
    </figure>
  );
}
