// SPDX-License-Identifier: Apache-2.0
import { useEffect, useReducer } from 'react';
import { useI18n } from '../i18n';

/** How long ago, kept true while it is on the screen; the exact time is its title. */
export function Ago({ at }: { at: string | undefined }) {
  const { f } = useI18n();
  const [, tick] = useReducer((n: number) => n + 1, 0);
  useEffect(() => {
    const timer = setInterval(tick, 10_000);
    return () => clearInterval(timer);
  }, []);
  if (!at) return <span className="muted">–</span>;
  return (
    <time dateTime={at} title={f.dateTime(at)} className="nowrap">
      {f.relative(at)}
    </time>
  );
}
