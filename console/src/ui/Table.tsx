// SPDX-License-Identifier: Apache-2.0
// A dense table. On a small screen the columns of lesser rank go; while it loads it already has its size.
import { ArrowDown, ArrowUp } from 'lucide-react';
import { type ReactNode, useMemo, useState } from 'react';
import { useI18n } from '../i18n';
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
}

export function Table<T>({ caption, columns, rows, rowKey, empty, onRow, selected, loadingRows = 6 }: TableProps<T>) {
  const { t, language } = useI18n();
  const [order, setOrder] = useState<{ id: string; down: boolean } | null>(null);

  const sorted = useMemo(() => {
    const by = columns.find((column) => column.id === order?.id)?.sort;
    if (!rows || !by || !order) return rows;
    const collator = new Intl.Collator(language, { numeric: true });
    const compare = (a: T, b: T) => {
      const [x, y] = [by(a), by(b)];
      return typeof x === 'number' && typeof y === 'number' ? x - y : collator.compare(String(x), String(y));
    };
    return [...rows].sort((a, b) => (order.down ? compare(b, a) : compare(a, b)));
  }, [rows, columns, order, language]);

  if (sorted?.length === 0 && empty) return <>{empty}</>;
  const classOf = (column: Column<T>) => [column.align === 'right' ? 'right' : '', column.rank ? `rank-${column.rank}` : '', column.width ?? ''].join(' ').trim() || undefined;

  return (
    <div className="table-wrap">
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
            ? sorted.map((row) => (
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
    </div>
  );
}

/** A click on the row itself: not on a control in it, and not the end of a selection of text. */
function fromRow(event: React.MouseEvent): boolean {
  const onControl = (event.target as Element).closest('a, button, input, [role="menuitem"]');
  return !onControl && event.currentTarget.contains(event.target as Node) && !window.getSelection()?.toString();
}
