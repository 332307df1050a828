// SPDX-License-Identifier: Apache-2.0
// A dense table. It can be filtered, and a long one is drawn a part at a time. On a small screen the columns of lesser rank go; while it loads it already has its size.
import { ArrowDown, ArrowUp, Search } from 'lucide-react';
import { type ReactNode, useEffect, useMemo, useRef, useState } from 'react';
import { useI18n } from '../i18n';
import { Button } from './Button';
import './table.css';

export interface Column<T> {
  id: string;
  header: string;
  cell: (row: T) => ReactNode;
  sort?: (row: T) => string | number;
  align?: 'right';
  /** 2: goes below 900 px, 3: goes below 1180 px */
  rank?: 2 | 3;
  hideHeader?: boolean;
  width?: 'tight' | 'wide';
}

const PART = 100; // rows that are drawn at once

interface TableProps<T> {
  caption: string;
  columns: Column<T>[];
  rows: T[] | undefined;
  rowKey: (row: T) => string;
  empty?: ReactNode;
  /** pointer convenience; the row must also hold a link or button that does the same */
  onRow?: (row: T) => void;
  selected?: string;
  loadingRows?: number;
  /** the words by which a row is found; without it there is no filter */
  words?: (row: T) => (string | undefined)[];
}

/** What is too wide scrolls in itself, and the keyboard must then reach it. */
export function Scroller({ label, children }: { label: string; children: ReactNode }) {
  const box = useRef<HTMLDivElement>(null);
  const [scrolls, setScrolls] = useState(false);
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const watch = new ResizeObserver(() => setScrolls(element.scrollWidth > element.clientWidth));
    watch.observe(element);
    if (element.firstElementChild) watch.observe(element.firstElementChild);
    return () => watch.disconnect();
  }, []);
  return (
    <div className="table-wrap" ref={box} {...(scrolls && { tabIndex: 0, role: 'region', 'aria-label': label })}>
      {children}
    </div>
  );
}

function Filter({ text, onText, found, all }: { text: string; onText: (text: string) => void; found: number; all: number | undefined }) {
  const { t } = useI18n();
  return (
    <div className="table-filter">
      <Search className="icon" aria-hidden="true" />
      <input type="search" aria-label={t('common.filter')} placeholder={t('common.filter')} autoComplete="off" spellCheck={false} value={text} disabled={all === undefined} onChange={(event) => onText(event.target.value)} />
      <span className="muted small num" role="status">
        {all !== undefined && (text ? t('common.filterCount', { n: found, total: all }) : t('common.count', { n: all }))}
      </span>
    </div>
  );
}

export function Table<T>({ caption, columns, rows, rowKey, empty, onRow, selected, loadingRows = 6, words }: TableProps<T>) {
  const { t, language } = useI18n();
  const [order, setOrder] = useState(() => {
    const first = columns.find((column) => column.sort);
    return first ? { id: first.id, down: false } : null;
  });
  const [wanted, setWanted] = useState('');
  const [drawn, setDrawn] = useState(PART);

  const found = useMemo(() => {
    const parts = wanted.toLowerCase().split(/\s+/).filter(Boolean);
    if (!rows || !words || parts.length === 0) return rows;
    return rows.filter((row) => {
      const text = words(row).join(' ').toLowerCase();
      return parts.every((part) => text.includes(part));
    });
  }, [rows, words, wanted]);
  const sorted = useMemo(() => {
    const by = columns.find((column) => column.id === order?.id)?.sort;
    if (!found || !by || !order) return found;
    const collator = new Intl.Collator(language, { numeric: true });
    const compare = (a: T, b: T) => {
      const [x, y] = [by(a), by(b)];
      return typeof x === 'number' && typeof y === 'number' ? x - y : collator.compare(String(x), String(y));
    };
    return [...found].sort((a, b) => (order.down ? compare(b, a) : compare(a, b)));
  }, [found, columns, order, language]);

  if (rows?.length === 0 && empty) return <>{empty}</>;
  const classOf = (column: Column<T>) => [column.align === 'right' ? 'right' : '', column.rank ? `rank-${column.rank}` : '', column.width ?? ''].join(' ').trim() || undefined;

  return (
    <>
      {words && (
        <Filter
          text={wanted}
          onText={(text) => {
            setWanted(text);
            setDrawn(PART);
          }}
          found={found?.length ?? 0}
          all={rows?.length}
        />
      )}
      <Scroller label={caption}>
        <table className="table" aria-busy={!sorted || undefined}>
          <caption className="sr-only">{sorted ? caption : `${caption}: ${t('common.loading')}`}</caption>
          <thead>
            <tr>
              {columns.map((column) => {
                const active = order?.id === column.id ? order : null;
                return (
                  <th key={column.id} scope="col" className={classOf(column)} aria-sort={active ? (active.down ? 'descending' : 'ascending') : undefined}>
                    {column.sort ? (
                      <button type="button" className="th-sort" onClick={() => setOrder({ id: column.id, down: active ? !active.down : false })}>
                        {column.header}
                        {active && (active.down ? <ArrowDown className="icon" aria-hidden="true" /> : <ArrowUp className="icon" aria-hidden="true" />)}
                      </button>
                    ) : (
                      <span className={column.hideHeader ? 'sr-only' : undefined}>{column.header}</span>
                    )}
                  </th>
                );
              })}
            </tr>
          </thead>
          <tbody>
            {sorted
              ? sorted.slice(0, words ? drawn : undefined).map((row) => (
                  // The same action is on a focusable element inside the row.
                 
                  <tr key={rowKey(row)} className={`${onRow ? 'row-link' : ''}${selected === rowKey(row) ? ' row-selected' : ''}`} onClick={onRow && ((event) => fromRow(event) && onRow(row))}>
                    {columns.map((column) => (
                      <td key={column.id} className={classOf(column)}>
                        {column.cell(row)}
                      </td>
                    ))}
                  </tr>
                ))
              : Array.from({ length: loadingRows }, (_, i) => (
                  <tr key={i} aria-hidden="true">
                    {columns.map((column) => (
                      <td key={column.id} className={classOf(column)}>
                        <span className="bone" />
                      </td>
                    ))}
                  </tr>
                ))}
          </tbody>
        </table>
        {sorted?.length === 0 && wanted && <p className="table-none muted">{t('common.noMatch')}</p>}
      </Scroller>
      {words && sorted && sorted.length > drawn && (
        <div className="table-more">
          <Button onClick={() => setDrawn(drawn + PART)}>{t('common.more')}</Button>
        </div>
      )}
    </>
  );
}

/** A click on the row itself: not on a control in it, and not the end of a selection of text. */
function fromRow(event: React.MouseEvent): boolean {
  const onControl = (event.target as Element).closest('a, button, input, [role="menuitem"]');
  return !onControl && event.currentTarget.contains(event.target as Node) && !window.getSelection()?.toString();
}
