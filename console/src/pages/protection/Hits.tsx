// SPDX-License-Identifier: Apache-2.0
// What the firewall met: watched live, filtered, and each hit with the way to an exclusion.
import { ShieldCheck } from 'lucide-react';
import { useState } from 'react';
import { useSearchParams } from 'wouter';
import { useI18n } from '../../i18n';
import { DAY_MS, HOUR_MS } from '../../lib/duration';
import { useNamespace } from '../../lib/namespace';
import { BarChart } from '../../ui/Chart';
import { SelectField, SwitchField } from '../../ui/Field';
import { Empty, ErrorView } from '../../ui/Notice';
import { Panel } from '../../ui/Page';
import { type Column, Table } from '../../ui/Table';
import { Exclude } from './Exclude';
import { Score, VerdictBadge } from './Found';
import { HitDrawer } from './HitDrawer';
import type { Hit } from './hits';
import { ProtectionHeader } from './ProtectionHeader';
import { HITS_MAX, useHits } from './useHits';

const LIVE_MS = 3000;
const BARS = 48;
const SPANS = { range1h: HOUR_MS, range24h: DAY_MS, range7d: 7 * DAY_MS, range30d: 30 * DAY_MS } as const;
type Span = keyof typeof SPANS;

function overTime(hits: Hit[], spanMs: number, now: number) {
  const width = spanMs / BARS;
  const starts = Array.from({ length: BARS }, (_, i) => now - spanMs + i * width);
  const count = (refused: boolean) => {
    const values = starts.map(() => 0);
    for (const hit of hits) {
      const at = Math.min(BARS - 1, Math.floor((Date.parse(hit.event.time) - (now - spanMs)) / width));
      if (at >= 0 && hit.refused === refused) values[at] = (values[at] ?? 0) + 1;
    }
    return values;
  };
  return { starts, refused: count(true), detected: count(false) };
}

export default function Hits() {
  const { t, f } = useI18n();
  const namespace = useNamespace();
  const [search, setSearch] = useSearchParams();
  const span = (search.get('range') ?? 'range24h') as Span;
  const least = Number(search.get('score') ?? 0);
  const [live, setLive] = useState(false);
  const [open, setOpen] = useState<Hit | null>(null);
  const [excluding, setExcluding] = useState<Hit | null>(null);
  const spanMs = SPANS[span] ?? DAY_MS;
  const proofs = search.get('proofs') === 'yes';
  const query = useHits(spanMs, namespace, live ? LIVE_MS : false, proofs);
  const set = (key: string, value: string) => {
    const next = new URLSearchParams(search);
    if (value) next.set(key, value);
    else next.delete(key);
    setSearch(next, { replace: true });
  };
  const all = query.data?.hits;
  const rows = all?.filter((hit) => hit.score >= least);
  const bars = overTime(query.data?.hits ?? [], spanMs, query.data?.at ?? Date.now());

  const columns: Column<Hit>[] = [
    { id: 'time', header: t('audit.time'), cell: (hit) => <time dateTime={hit.event.time} title={f.dateTime(hit.event.time)} className="nowrap second">{f.second(hit.event.time)}</time>, width: 'tight' },
    {
      id: 'rule',
      header: t('waf.rule'),
      cell: (hit) => (
        <>
          <button type="button" className="primary-cell break" onClick={() => setOpen(hit)}>
            {hit.message}
          </button>
          <span className="muted small mono hit-rule">{hit.rule}</span>
        </>
      ),
    },
    { id: 'where', header: t('waf.path'), cell: (hit) => <span className="mono small break second">{hit.path || '–'}</span>, rank: 2 },
    { id: 'service', header: t('waf.service'), cell: (hit) => <span className="second break">{hit.service || hit.namespace || '–'}</span>, rank: 3 },
    { id: 'source', header: t('audit.source'), cell: (hit) => <span className="mono small muted">{hit.event.source ?? '–'}</span>, rank: 3 },
    { id: 'score', header: t('waf.score'), cell: (hit) => <Score score={hit.score} threshold={hit.threshold} />, align: 'right', rank: 2, width: 'tight' },
    { id: 'verdict', header: t('waf.verdict'), cell: (hit) => <VerdictBadge verdict={hit.refused ? 'refused' : 'detected'} />, width: 'tight' },
  ];
  return (
    <>
      <ProtectionHeader text={t('waf.hitsText')} />
      <Panel>
        <BarChart
          title={t('waf.hitsOverTime')}
          starts={bars.starts}
          series={[
            { name: t('waf.verdict-refused'), tone: 'bad', values: bars.refused },
            { name: t('waf.verdict-detected'), tone: 'two', values: bars.detected },
          ]}
        />
      </Panel>
      <section className="panel panel-flush">
        <div className="desk-bar">
          <div className="toolbar grow">
            <SelectField label={t('service.range')} value={span} onChange={(event) => set('range', event.target.value)} choices={(Object.keys(SPANS) as Span[]).map((value) => ({ value, label: t(`audit.${value}`) }))} />
            <SelectField label={t('waf.least')} value={String(least)} onChange={(event) => set('score', event.target.value === '0' ? '' : event.target.value)} choices={[0, 5, 10, 15, 25].map((value) => ({ value: String(value), label: value === 0 ? t('audit.any') : t('waf.leastOf', { n: value }) }))} />
          </div>
          <SwitchField label={t('waf.proofs')} checked={proofs} onChange={(on) => set('proofs', on ? 'yes' : '')} />
          <SwitchField label={t('audit.live')} checked={live} onChange={setLive} />
        </div>
        {query.error && !rows ? (
          <ErrorView error={query.error} onRetry={() => void query.refetch()} />
        ) : (
          <Table
            caption={t('waf.hits')}
            columns={columns}
            rows={rows}
            rowKey={(hit) => String(hit.event.index)}
            onRow={setOpen}
            selected={open ? String(open.event.index) : undefined}
            words={(hit) => [hit.message, hit.rule, hit.path, hit.service, hit.namespace, hit.variable, hit.match, hit.requestId, hit.event.source, hit.event.actor, ...hit.parts.map((part) => String(part.rule))]}
            empty={
              <Empty icon={ShieldCheck} title={t('waf.hitsEmpty')}>
                {t('waf.hitsEmptyHelp')}
              </Empty>
            }
          />
        )}
        {query.data?.more && <p className="desk-note muted small">{t('waf.hitsCut', { n: HITS_MAX })}</p>}
      </section>
      <HitDrawer hit={open} onClose={() => setOpen(null)} onExclude={setExcluding} />
      {excluding && <Exclude seed={excluding} onClose={() => setExcluding(null)} />}
    </>
  );
}
