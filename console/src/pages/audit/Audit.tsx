// SPDX-License-Identifier: Apache-2.0
// What happened: searched, watched live, exported; and each entry proved to be in the log.
import { useInfiniteQuery } from '@tanstack/react-query';
import { Download, ScrollText } from 'lucide-react';
import { useState } from 'react';
import { useLocation, useParams, useSearchParams } from 'wouter';
import { type AuditEvent, type AuditQuery, collectAudit, type Outcome, searchAudit } from '../../api/audit';
import { useI18n } from '../../i18n';
import { csv, downloadCsv } from '../../lib/csv';
import { agoIso, DAY_MS, HOUR_MS } from '../../lib/duration';
import { useNamespace } from '../../lib/namespace';
import { Button } from '../../ui/Button';
import { SwitchField } from '../../ui/Field';
import { Empty, ErrorView } from '../../ui/Notice';
import { PageHeader } from '../../ui/Page';
import { Badge, type Tone } from '../../ui/Status';
import { type Column, Table } from '../../ui/Table';
import { toast, toastError } from '../../ui/Toast';
import './audit.css';
import { EntryDrawer } from './EntryDrawer';
import { Filters, type FilterState } from './Filters';

const PAGE = 100;
const LIVE_MS = 2000;
const MAX_EXPORT = 20_000;
const RANGE_MS: Record<string, number> = { '15m': HOUR_MS / 4, '1h': HOUR_MS, '24h': DAY_MS, '7d': 7 * DAY_MS, '30d': 30 * DAY_MS };
const TONES: Record<Exclude<Outcome, 'success'>, Tone> = { denied: 'bad', failure: 'warn' };

function OutcomeBadge({ outcome }: { outcome: Outcome }) {
  const { t } = useI18n();
  // What went as it should stays quiet, so that the rest is seen.
  if (outcome === 'success') return <span className="muted small">{t('outcome.success')}</span>;
  return <Badge tone={TONES[outcome] ?? 'none'}>{outcome in TONES ? t(`outcome.${outcome}`) : outcome}</Badge>;
}

/** Filters as the address has them, so that a search can be sent to a colleague. */
function useFilters(): [FilterState, (change: Partial<FilterState>) => void] {
  const [search, setSearch] = useSearchParams();
  const state: FilterState = {
    event: search.get('event') ?? '',
    actor: search.get('actor') ?? '',
    outcome: search.get('outcome') ?? '',
    range: search.get('range') ?? '24h',
    from: search.get('from') ?? '',
    to: search.get('to') ?? '',
  };
  const change = (next: Partial<FilterState>) => {
    const merged = Object.entries({ ...state, ...next }).filter(([key, value]) => value !== '' && !(key === 'range' && value === '24h'));
    setSearch(new URLSearchParams(merged), { replace: true });
  };
  return [state, change];
}

function toQuery(state: FilterState, namespace: string): AuditQuery {
  const { event, actor, outcome } = state;
  const iso = (local: string) => (local && !Number.isNaN(Date.parse(local)) ? new Date(local).toISOString() : undefined);
  if (state.range === 'custom') return { event, actor, outcome, namespace, since: iso(state.from), until: iso(state.to) };
  const ms = RANGE_MS[state.range];
  return { event, actor, outcome, namespace, since: ms === undefined ? undefined : agoIso(ms) };
}

export default function Audit() {
  const { t, f } = useI18n();
  const namespace = useNamespace();
  const params = useParams<{ index?: string }>();
  const [, navigate] = useLocation();
  const [filters, change] = useFilters();
  const [live, setLive] = useState(false);
  const [exporting, setExporting] = useState(false);
  const query = useInfiniteQuery({
    queryKey: ['audit', filters, namespace, live],
    queryFn: ({ pageParam, signal }) => searchAudit(toQuery(filters, namespace), PAGE, pageParam, signal),
    initialPageParam: '',
    getNextPageParam: (page) => page.next || undefined,
    refetchInterval: live ? LIVE_MS : false,
    placeholderData: (previous) => previous,
  });
  const rows = query.data?.pages.flatMap((page) => page.events);
  const index = params.index !== undefined && /^\d{1,15}$/.test(params.index) ? Number(params.index) : null;
  const here = (path: string) => path + window.location.search;
  const open = (event: AuditEvent) => navigate(here(`/audit/${event.index}`));

  const exportCsv = async () => {
    setExporting(true);
    try {
      const { events, more } = await collectAudit(toQuery(filters, namespace), MAX_EXPORT);
      const header = ['index', 'time', 'event', 'outcome', 'actor', 'via', 'namespace', 'action', 'source', 'record'];
      const cells = events.map((e) => [e.index, e.time, e.event, e.outcome, e.actor, e.via, e.namespace, e.action, e.source, e.record]);
      downloadCsv(`drun-audit-${new Date().toISOString().slice(0, 19).replace(/:/g, '')}.csv`, csv(header, cells));
      toast(t('audit.exported', { n: events.length }), more ? t('audit.exportCut', { n: MAX_EXPORT }) : undefined);
    } catch (error) {
      toastError(t('audit.exportFailed'), error);
    } finally {
      setExporting(false);
    }
  };

  const columns: Column<AuditEvent>[] = [
    { id: 'time', header: t('audit.time'), cell: (e) => <time dateTime={e.time} title={f.dateTime(e.time)} className="nowrap second">{f.second(e.time)}</time>, width: 'tight' },
    {
      id: 'event',
      header: t('audit.event'),
      cell: (e) => (
        <button type="button" className="primary-cell mono audit-event" onClick={() => open(e)}>
          {e.event}
        </button>
      ),
    },
    { id: 'actor', header: t('audit.actor'), cell: (e) => <span className="break">{e.actor ?? <span className="muted">{t('audit.nobody')}</span>}</span> },
    { id: 'action', header: t('audit.action'), cell: (e) => <span className="mono small break second">{e.action || '–'}</span>, rank: 2 },
    { id: 'namespace', header: t('common.namespace'), cell: (e) => <span className="second">{e.namespace ?? '–'}</span>, rank: 3 },
    { id: 'source', header: t('audit.source'), cell: (e) => <span className="mono small muted">{e.source ?? '–'}</span>, rank: 3 },
    { id: 'outcome', header: t('audit.outcome'), cell: (e) => <OutcomeBadge outcome={e.outcome} />, width: 'tight' },
    { id: 'index', header: t('audit.index'), cell: (e) => <span className="muted small">{e.index}</span>, align: 'right', rank: 2, width: 'tight' },
  ];
  return (
    <>
      <PageHeader
        title={t('nav.audit')}
        text={t('audit.text')}
        actions={
          <Button icon={Download} busy={exporting} disabled={!rows?.length} onClick={() => void exportCsv()}>
            {t('audit.export')}
          </Button>
        }
      />
      <div className="panel panel-flush">
        <Filters state={filters} onChange={change} />
        <div className="audit-bar">
          <p className="muted small" role="status">
            {rows && t(query.hasNextPage ? 'audit.shownMore' : 'audit.shown', { n: rows.length })}
          </p>
          <SwitchField label={t('audit.live')} checked={live} onChange={setLive} />
        </div>
        {query.error && !rows ? (
          <ErrorView error={query.error} onRetry={() => void query.refetch()} />
        ) : (
          <div className="audit-table">
            <Table caption={t('nav.audit')} columns={columns} rows={rows} rowKey={(e) => String(e.index)} onRow={open} selected={index === null ? undefined : String(index)} loadingRows={12} empty={<Empty icon={ScrollText} title={t('audit.empty')}>{t('audit.emptyHelp')}</Empty>} />
          </div>
        )}
        {query.hasNextPage && !live && (
          <div className="audit-more">
            <Button busy={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>
              {t('audit.more')}
            </Button>
          </div>
        )}
      </div>
      <EntryDrawer index={index} onClose={() => navigate(here('/audit'))} />
    </>
  );
}
