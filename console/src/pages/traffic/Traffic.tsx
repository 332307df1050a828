// SPDX-License-Identifier: Apache-2.0
// How many calls, how fast, how many tokens: of the platform, of a namespace, of each model service.
import { useQuery } from '@tanstack/react-query';
import { Activity } from 'lucide-react';
import { useSearchParams } from 'wouter';
import { collectAudit, MODEL_CALL } from '../../api/audit';
import { ofCallers } from '../../api/usage';
import { useI18n } from '../../i18n';
import { agoIso, DAY_MS, HOUR_MS, MINUTE_MS } from '../../lib/duration';
import { useNamespace } from '../../lib/namespace';
import { BarChart } from '../../ui/Chart';
import { Empty, ErrorView, Notice, Skeleton } from '../../ui/Notice';
import { PageHeader, Panel, Stat } from '../../ui/Page';
import { type Column, Table } from '../../ui/Table';
import { type By, overTime, type Sum, sums } from './counted';
import { Lines } from './Lines';

const CALLS_MAX = 10_000;
const SPANS = {
  live: { ms: 10 * MINUTE_MS, slots: 60, pollMs: 3000 },
  hour: { ms: HOUR_MS, slots: 60, pollMs: 15_000 },
  day: { ms: DAY_MS, slots: 48, pollMs: 60_000 },
} as const;
type Span = keyof typeof SPANS;
const BYS: By[] = ['model', 'namespace', 'actor'];

export default function Traffic() {
  const { t, f } = useI18n();
  const namespace = useNamespace();
  const [search, setSearch] = useSearchParams();
  const span: Span = (search.get('span') ?? '') in SPANS ? (search.get('span') as Span) : 'hour';
  const by = BYS.find((each) => each === search.get('by')) ?? 'model';
  const only = search.get('model') ?? '';
  const { ms, slots, pollMs } = SPANS[span];
  const set = (next: Record<string, string>) => {
    const params = new URLSearchParams(search);
    for (const [key, value] of Object.entries(next)) if (value) params.set(key, value);
    else params.delete(key);
    setSearch(params, { replace: true });
  };
  const query = useQuery({
    queryKey: ['traffic', span, namespace],
    queryFn: async ({ signal }) => {
      const found = await collectAudit({ event: MODEL_CALL, namespace, since: agoIso(ms) }, CALLS_MAX, signal);
      return { ...ofCallers(found.events), more: found.more, now: Date.now() };
    },
    refetchInterval: pollMs,
    placeholderData: (previous) => previous,
  });
  const all = query.data?.calls ?? [];
  const events = only ? all.filter((event) => event.record['gen_ai.request.model'] === only) : all;
  const series = overTime(events, ms, slots, query.data?.now ?? Date.now());
  const starts = series.map((slot) => slot.start);
  const rows = query.data && sums(all, by);
  const [total] = sums(events.map((event) => ({ ...event, actor: 'all' })), 'actor');
  const seconds = ms / 1000;
  const time = (value: number | null) => (value === null ? '–' : f.ms(value));
  const rate = (n: number) => f.decimal(n / seconds, n / seconds < 10 ? 2 : 0);
  const share = (part: number, whole: number) => (whole === 0 ? '–' : f.percent(part / whole));

  const columns: Column<Sum>[] = [
    {
      id: 'name',
      header: t(`traffic.by-${by}`),
      cell: (row) =>
        by === 'model' ? (
          <button type="button" className="primary-cell break" aria-pressed={only === row.name} onClick={() => set({ model: only === row.name ? '' : row.name })}>
            {row.name || '–'}
          </button>
        ) : (
          <span className="break">{row.name || '–'}</span>
        ),
    },
    { id: 'calls', header: t('traffic.calls'), cell: (row) => f.number(row.calls), sort: (row) => -row.calls, align: 'right' },
    { id: 'refused', header: t('traffic.refused'), cell: (row) => share(row.refused, row.calls), align: 'right', rank: 2 },
    { id: 'failed', header: t('traffic.failed'), cell: (row) => <span className={row.failed > 0 ? 'stat-bad' : undefined}>{share(row.failed, row.calls)}</span>, align: 'right', rank: 2 },
    { id: 'tokens', header: t('traffic.tokens'), cell: (row) => f.compact(row.inputTokens + row.outputTokens), align: 'right', rank: 2 },
    { id: 'p50', header: t('traffic.median'), cell: (row) => time(row.p50), align: 'right' },
    { id: 'p95', header: t('traffic.p95'), cell: (row) => time(row.p95), align: 'right', rank: 3 },
    { id: 'p99', header: t('traffic.p99'), cell: (row) => time(row.p99), align: 'right', rank: 2 },
  ];
  return (
    <>
      <PageHeader
        title={t('nav.traffic')}
        text={t('traffic.text')}
        actions={
          <div className="segments" role="group" aria-label={t('traffic.span')}>
            {(Object.keys(SPANS) as Span[]).map((each) => (
              <button key={each} type="button" aria-pressed={each === span} onClick={() => set({ span: each === 'hour' ? '' : each })}>
                {t(`traffic.span-${each}`)}
              </button>
            ))}
          </div>
        }
      />
      {query.error && !query.data ? (
        <Panel>
          <ErrorView error={query.error} onRetry={() => void query.refetch()} />
        </Panel>
      ) : !query.data ? (
        <Panel>
          <Skeleton lines={12} />
        </Panel>
      ) : all.length === 0 ? (
        <Panel>
          <Empty icon={Activity} title={t('traffic.empty')}>
            {t('traffic.emptyHelp')}
          </Empty>
        </Panel>
      ) : (
        <>
          <Panel flush title={only || undefined}>
            <dl className="stats">
              <Stat label={t('traffic.perSecond')} value={rate(events.length)} note={t('traffic.inAll', { n: events.length })} />
              <Stat label={t('traffic.notAnswered')} value={share((total?.refused ?? 0) + (total?.failed ?? 0), events.length)} note={t('traffic.refusedFailed', { refused: total?.refused ?? 0, failed: total?.failed ?? 0 })} tone={total?.failed ? 'bad' : undefined} />
              <Stat label={t('traffic.tokensPerSecond')} value={rate((total?.inputTokens ?? 0) + (total?.outputTokens ?? 0))} note={t('traffic.inOut', { input: f.compact(total?.inputTokens ?? 0), output: f.compact(total?.outputTokens ?? 0) })} />
              <Stat label={t('traffic.p99')} value={time(total?.p99 ?? null)} note={t('traffic.medianOf', { time: time(total?.p50 ?? null) })} />
            </dl>
          </Panel>
          <div className="grid-2">
            <Panel>
              <BarChart
                title={t('traffic.calls')}
                starts={starts}
                series={[
                  { name: t('traffic.answered'), tone: 'one', values: series.map((slot) => slot.answered) },
                  { name: t('traffic.notAnswered'), tone: 'bad', values: series.map((slot) => slot.refused + slot.failed) },
                ]}
              />
            </Panel>
            <Panel>
              <BarChart
                title={t('traffic.tokens')}
                starts={starts}
                series={[
                  { name: t('traffic.output'), tone: 'one', values: series.map((slot) => slot.outputTokens) },
                  { name: t('traffic.input'), tone: 'two', values: series.map((slot) => slot.inputTokens) },
                ]}
              />
            </Panel>
          </div>
          <Panel>
            <Lines
              title={t('traffic.latency')}
              starts={starts}
              format={f.ms}
              lines={[
                { name: t('traffic.p99'), tone: 'three', values: series.map((slot) => slot.p99) },
                { name: t('traffic.p95'), tone: 'two', values: series.map((slot) => slot.p95) },
                { name: t('traffic.median'), tone: 'one', values: series.map((slot) => slot.p50) },
              ]}
            />
          </Panel>
          <Panel
            flush
            title={t('traffic.shares')}
            actions={
              <div className="segments" role="group" aria-label={t('traffic.shares')}>
                {BYS.map((each) => (
                  <button key={each} type="button" aria-pressed={each === by} onClick={() => set({ by: each === 'model' ? '' : each, model: '' })}>
                    {t(`traffic.by-${each}`)}
                  </button>
                ))}
              </div>
            }
          >
            <Table key={by} caption={t('traffic.shares')} columns={columns} rows={rows} rowKey={(row) => row.name} />
          </Panel>
          {query.data.more && <Notice>{t('traffic.cut', { n: CALLS_MAX })}</Notice>}
        </>
      )}
    </>
  );
}
