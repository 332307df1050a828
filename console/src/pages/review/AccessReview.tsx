// SPDX-License-Identifier: Apache-2.0
// What an auditor asks for: who can do what, how, when each was last seen, and what somebody should look at.
import { useQuery } from '@tanstack/react-query';
import { Download, KeyRound, ShieldCheck, Users } from 'lucide-react';
import { useMemo, useState } from 'react';
import { Link } from 'wouter';
import { ApiError, json } from '../../api/http';
import { apiKeys, groups, list, type Resource, serviceAccounts, users } from '../../api/kube';
import { type Key, useI18n } from '../../i18n';
import { csv, downloadCsv } from '../../lib/csv';
import { DAY_MS } from '../../lib/duration';
import { useNamespace } from '../../lib/namespace';
import { Button } from '../../ui/Button';
import { CheckField, SelectField } from '../../ui/Field';
import { Empty, ErrorView, Notice } from '../../ui/Notice';
import { Panel } from '../../ui/Page';
import { Badge, type Tone } from '../../ui/Status';
import { type Column, Table } from '../../ui/Table';
import { Ago } from '../../ui/Time';
import { AccessHeader } from '../access/AccessHeader';
import { type Finding, type FindingType, isStale, type KeyRow, type Report, type Review, reviewOf, type Row, type Source } from './review';
import './review.css';

const STALE_DAYS = [30, 90, 180, 365];
const TONE: Record<FindingType, Tone> = {
  SubjectMissing: 'bad',
  RoleMissing: 'bad',
  DisabledWithRights: 'bad',
  KeyExpired: 'warn',
  UserStale: 'warn',
  UserNeverSignedIn: 'warn',
  KeyStale: 'warn',
  KeyNeverUsed: 'warn',
  KeyWithoutEnd: 'none',
  KeyDisabled: 'none',
  RoleUnused: 'none',
};
const PLACE: Record<string, string> = { ApiKey: '/keys', User: '/access', Role: '/access/roles', ClusterRole: '/access/roles', RoleBinding: '/access/bindings', ClusterRoleBinding: '/access/bindings' };

/** Null when the reader may not: the review says so and goes on. */
async function seen<T>(resource: Resource<T>, namespace: string | undefined, signal: AbortSignal): Promise<T[] | null> {
  try {
    return await list(resource, namespace, signal);
  } catch (error) {
    if (error instanceof ApiError && error.status === 403) return null;
    throw error;
  }
}

async function read(namespace: string, signal: AbortSignal): Promise<Source> {
  const query = namespace ? `?${new URLSearchParams({ namespace })}` : '';
  const report = await json<Report>(`/apis/authorization.drun.io/v1/accessreport${query}`, { signal });
  const within = namespace || undefined;
  const [people, teams, keys, accounts] = await Promise.all([seen(users, undefined, signal), seen(groups, undefined, signal), seen(apiKeys, within, signal), seen(serviceAccounts, within, signal)]);
  return { report, users: people, groups: teams, keys, accounts };
}

function useWhy() {
  const { t, f } = useI18n();
  // Each sentence takes of these what it names.
  const say = t as (key: Key, values: Record<string, string | number>) => string;
  return ({ type, days = 0, date, role = '', who = '', binding = '' }: Finding) => say(`review.why-${type}`, { days, date: date ? f.date(date) : '', role, who, binding });
}

function Findings({ rows }: { rows: Finding[] | undefined }) {
  const { t } = useI18n();
  const why = useWhy();
  const columns: Column<Finding>[] = [
    { id: 'finding', header: t('review.finding'), cell: (f) => <Badge tone={TONE[f.type]}>{t(`review.f-${f.type}`)}</Badge> },
    {
      id: 'object',
      header: t('common.object'),
      cell: (f) => (
        <div className="name-cell">
          <Link href={PLACE[f.kind] ?? '/access'} className="primary-cell clip" title={f.name}>
            {f.name}
          </Link>
          <div className="muted small clip">
            {f.kind}
            {f.namespace && <span className="mono"> · {f.namespace}</span>}
          </div>
          <div className="small second review-narrow">{why(f)}</div>
        </div>
      ),
    },
    { id: 'why', header: t('review.why'), cell: (f) => <span className="small review-why">{why(f)}</span>, rank: 2, width: 'wide' },
  ];
  return (
    <Table
      caption={t('review.findings')}
      columns={columns}
      rows={rows}
      rowKey={(f) => [f.type, f.kind, f.namespace, f.name, f.who, f.role, f.binding].join('/')}
      words={(f) => [f.type, t(`review.f-${f.type}`), f.kind, f.name, f.namespace, f.who, f.role]}
      empty={
        <Empty icon={ShieldCheck} title={t('review.clean')}>
          {t('review.cleanText')}
        </Empty>
      }
    />
  );
}

const STATE_TONE: Record<Row['state'], Tone> = { '': 'none', Active: 'good', Invited: 'none', Disabled: 'bad', Missing: 'bad' };

function Access({ rows }: { rows: Row[] | undefined }) {
  const { t } = useI18n();
  const columns: Column<Row>[] = [
    {
      id: 'who',
      header: t('access.subject'),
      sort: (r) => r.name,
      cell: (r) => (
        <div className="name-cell" title={r.name}>
          <div className="strong clip">{r.name}</div>
          <div className="muted small">{t(`review.k-${r.kind as 'User'}`)}</div>
        </div>
      ),
    },
    { id: 'state', header: t('common.state'), sort: (r) => r.state, cell: (r) => (r.state ? <Badge tone={STATE_TONE[r.state]}>{t(`review.s-${r.state}`)}</Badge> : <span className="muted">–</span>), rank: 2 },
    {
      id: 'role',
      header: t('access.role'),
      sort: (r) => r.role,
      cell: (r) => (
        <div title={r.rights.join('\n')}>
          <div className="mono small break">{r.role}</div>
          <div className="small">{r.namespace ? <span className="muted mono">{r.namespace}</span> : <Badge tone="warn">{t('access.platform')}</Badge>}</div>
        </div>
      ),
    },
    {
      id: 'through',
      header: t('review.through'),
      sort: (r) => r.binding,
      cell: (r) => (
        <div className="name-cell">
          <div className="mono small clip" title={r.binding}>
            {r.binding}
          </div>
          {r.via && <div className="muted small clip">{t('review.viaGroup', { name: r.via })}</div>}
        </div>
      ),
      rank: 2,
    },
    { id: 'login', header: t('review.lastSignIn'), sort: (r) => r.lastSignIn, cell: (r) => <Ago at={r.lastSignIn || undefined} />, rank: 3 },
    { id: 'key', header: t('review.lastKeyUse'), sort: (r) => r.lastKeyUse, cell: (r) => <Ago at={r.lastKeyUse || undefined} />, rank: 3 },
  ];
  return <Table caption={t('review.access')} columns={columns} rows={rows} rowKey={(r) => r.id} words={(r) => [r.name, r.kind, r.role, r.namespace, r.binding, r.via, r.state]} empty={<Empty icon={Users} title={t('review.noAccess')} />} />;
}

function Keys({ rows }: { rows: KeyRow[] | undefined }) {
  const { t, f } = useI18n();
  const columns: Column<KeyRow>[] = [
    {
      id: 'name',
      header: t('common.name'),
      sort: (k) => k.name,
      cell: (k) => (
        <div className="name-cell" title={k.name}>
          <Link href="/keys" className="primary-cell clip">
            {k.name}
          </Link>
          <div className="muted small mono clip">{k.namespace}</div>
        </div>
      ),
    },
    { id: 'owner', header: t('review.owner'), sort: (k) => k.owner, cell: (k) => <span className="mono small break">{k.owner.replace(/^system:serviceaccount:/, '') || '–'}</span> },
    { id: 'expires', header: t('review.expires'), sort: (k) => k.expires, cell: (k) => (k.expires ? f.date(k.expires) : <Badge tone="warn">{t('review.never')}</Badge>), rank: 2 },
    { id: 'used', header: t('review.lastUsed'), sort: (k) => k.lastUsed, cell: (k) => <Ago at={k.lastUsed || undefined} />, rank: 2 },
    { id: 'from', header: t('review.from'), cell: (k) => <span className="mono small">{k.address || '–'}</span>, rank: 3 },
  ];
  return <Table caption={t('review.keys')} columns={columns} rows={rows} rowKey={(k) => `${k.namespace}/${k.name}`} words={(k) => [k.name, k.namespace, k.owner]} empty={<Empty icon={KeyRound} title={t('review.noKeys')} />} />;
}

const VIEWS = ['findings', 'access', 'keys'] as const;
type View = (typeof VIEWS)[number];

/** The columns of `drun access-review -o csv`, and of the other two views what they show. */
function sheetOf(view: View, shown: Review, why: (finding: Finding) => string): string {
  const table = <T,>(columns: (keyof T & string)[], rows: T[]) => csv(columns, rows.map((row) => columns.map((column) => (Array.isArray(row[column]) ? row[column].join('; ') : row[column]))));
  if (view === 'access') return table<Row>(['kind', 'name', 'state', 'namespace', 'roleKind', 'role', 'bindingKind', 'binding', 'via', 'lastSignIn', 'lastKeyUse', 'rights'], shown.access);
  if (view === 'keys') return table<KeyRow>(['namespace', 'name', 'owner', 'created', 'expires', 'lastUsed', 'address', 'disabled'], shown.keys);
  return csv(['finding', 'kind', 'namespace', 'name', 'why'], shown.findings.map((f) => [f.type, f.kind, f.namespace, f.name, why(f)]));
}

export default function AccessReview() {
  const { t, tn, f } = useI18n();
  const namespace = useNamespace();
  const [view, setView] = useState<View>('findings');
  const [days, setDays] = useState(90);
  const [stale, setStale] = useState(false);
  const why = useWhy();
  const query = useQuery({ queryKey: ['access-review', namespace], queryFn: ({ signal }) => read(namespace, signal) });
  const source = query.data;
  const review = useMemo(() => source && reviewOf(source, days * DAY_MS, Date.parse(source.report.time)), [source, days]);
  const shown = useMemo(() => {
    if (!review || !source || !stale) return review;
    const now = Date.parse(source.report.time);
    const keys = new Set(review.findings.filter(({ kind }) => kind === 'ApiKey').map((one) => `${one.namespace}/${one.name}`));
    return { ...review, access: review.access.filter((row) => isStale(row, days * DAY_MS, now)), keys: review.keys.filter((key) => keys.has(`${key.namespace}/${key.name}`)) };
  }, [review, source, stale, days]);
  const exportCsv = () => shown && source && downloadCsv(`drun-access-${view}-${source.report.time.slice(0, 10)}.csv`, sheetOf(view, shown, why));
  return (
    <>
      <AccessHeader
        text={t('review.text')}
        actions={
          <Button icon={Download} disabled={!shown} onClick={exportCsv}>
            {t('review.export')}
          </Button>
        }
      />
      {review && review.unread.length > 0 && <Notice tone="warn">{t('review.unread', { names: review.unread.join(', ') })}</Notice>}
      {query.error && !source ? (
        <Panel flush>
          <ErrorView error={query.error} onRetry={() => void query.refetch()} />
        </Panel>
      ) : (
        <Panel flush>
          <div className="toolbar review-bar">
            <div className="segments" role="group" aria-label={t('access.review')}>
              {VIEWS.map((each) => (
                <button key={each} type="button" aria-pressed={view === each} onClick={() => setView(each)}>
                  {t(`review.${each}`)}
                  {shown && <span className="muted num"> {f.number(shown[each].length)}</span>}
                </button>
              ))}
            </div>
            <SelectField label={t('review.stale')} value={String(days)} onChange={(event) => setDays(Number(event.target.value))} choices={STALE_DAYS.map((n) => ({ value: String(n), label: tn('review.days', n) }))} />
            <div className="review-only">{view !== 'findings' && <CheckField label={t('review.onlyStale')} checked={stale} onChange={setStale} />}</div>
          </div>
          {view === 'findings' && <Findings rows={shown?.findings} />}
          {view === 'access' && <Access rows={shown?.access} />}
          {view === 'keys' && <Keys rows={shown?.keys} />}
        </Panel>
      )}
      {source && <p className="muted small">{t('review.asOf', { time: f.dateTime(source.report.time) })}</p>}
    </>
  );
}
