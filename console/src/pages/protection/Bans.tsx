// SPDX-License-Identifier: Apache-2.0
// Who is shut out and until when, and what comes in each class of routes beside what is usual there.
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { ShieldOff } from 'lucide-react';
import { useEffect, useState } from 'react';
import { json, request } from '../../api/http';
import { type PlainKey, useI18n } from '../../i18n';
import { Button } from '../../ui/Button';
import { Confirm } from '../../ui/Dialog';
import { Empty, ErrorView, Notice, Skeleton } from '../../ui/Notice';
import { Panel } from '../../ui/Page';
import { Badge, type Tone } from '../../ui/Status';
import { type Column, Table } from '../../ui/Table';
import { Ago } from '../../ui/Time';
import { toast } from '../../ui/Toast';
import { Lines } from '../traffic/Lines';
import { type Ban, BANS, type Bans as Answer, type Flood } from './kinds';
import { ProtectionHeader } from './ProtectionHeader';

const POLL_MS = 2000;
const KEPT = 150; // answers, for the charts

const REASONS: Record<string, PlainKey> = { requests: 'bans.why-requests', 'sign-ins': 'bans.why-sign-ins', connections: 'bans.why-connections', handshakes: 'bans.why-handshakes' };
const CLASSES: Record<string, PlainKey> = { calls: 'bans.class-calls', 'sign-in': 'bans.class-sign-in', objects: 'bans.class-objects', pages: 'bans.class-pages', connections: 'bans.class-connections' };
const LEVELS: Record<string, { label: PlainKey; tone: Tone }> = { calm: { label: 'bans.calm', tone: 'good' }, busy: { label: 'bans.busy', tone: 'warn' }, flood: { label: 'bans.flood', tone: 'bad' } };

interface Sample {
  at: number;
  floods: Flood[];
}

/** What was answered since the page was opened: the server keeps no history of it. */
function useHistory(answer: Answer | undefined, at: number): Sample[] {
  const [samples, setSamples] = useState<Sample[]>([]);
  useEffect(() => {
    if (answer) setSamples((old) => [...old, { at, floods: answer.status.floods }].slice(-KEPT));
  }, [answer, at]);
  return samples;
}

function Weather({ flood, samples }: { flood: Flood; samples: Sample[] }) {
  const { t, f } = useI18n();
  const level = LEVELS[flood.level];
  const label = CLASSES[flood.class];
  const of = (pick: (flood: Flood) => number) => samples.map((sample) => sample.floods.find((each) => each.class === flood.class)).map((found) => (found ? pick(found) : null));
  const clock = (time: number) => new Date(time).toLocaleTimeString(undefined, { hourCycle: 'h23' });
  return (
    <div className="weather">
      <div className="between">
        <h3>{label ? t(label) : flood.class}</h3>
        <Badge tone={level?.tone ?? 'none'}>{level ? t(level.label) : flood.level}</Badge>
      </div>
      <Lines
        title={t('bans.perSecond')}
        starts={samples.map((sample) => sample.at)}
        clock={clock}
        format={(value) => f.compact(Math.round(value * 10) / 10)}
        lines={[
          { name: t('bans.now'), tone: 'one', values: of((each) => each.perSecond) },
          { name: t('bans.usual'), tone: 'two', values: of((each) => each.usual) },
        ]}
      />
    </div>
  );
}

export default function Bans() {
  const { t, f } = useI18n();
  const client = useQueryClient();
  const query = useQuery({ queryKey: ['bans'], queryFn: ({ signal }) => json<Answer>(BANS, { signal }), refetchInterval: POLL_MS });
  const samples = useHistory(query.data, query.dataUpdatedAt);
  const [ending, setEnding] = useState<Ban | null>(null);
  const kernel = query.data?.status.kernel;
  const columns: Column<Ban>[] = [
    { id: 'address', header: t('bans.address'), cell: (ban) => <span className="mono">{ban.spec.address}</span>, sort: (ban) => ban.spec.address },
    { id: 'why', header: t('bans.why'), cell: (ban) => (REASONS[ban.spec.reason] ? t(REASONS[ban.spec.reason] as PlainKey) : ban.spec.reason) },
    { id: 'since', header: t('waf.since'), cell: (ban) => <Ago at={ban.metadata.creationTimestamp} />, rank: 2 },
    { id: 'until', header: t('bans.until'), cell: (ban) => <time dateTime={ban.spec.until} className="nowrap">{f.second(ban.spec.until)}</time>, rank: 2 },
    {
      id: 'end',
      header: t('common.actions'),
      hideHeader: true,
      width: 'tight',
      cell: (ban) => (
        <Button small onClick={() => setEnding(ban)} aria-label={t('bans.unbanOf', { address: ban.spec.address })}>
          {t('bans.unban')}
        </Button>
      ),
    },
  ];
  return (
    <>
      <ProtectionHeader text={t('bans.text')} />
      <Panel flush title={t('bans.banned')} text={t('bans.bannedText')}>
        <div className="roomy">
          {query.error && !query.data ? (
            <ErrorView error={query.error} onRetry={() => void query.refetch()} />
          ) : (
            <Table
              caption={t('bans.banned')}
              columns={columns}
              rows={query.data?.items}
              rowKey={(ban) => ban.metadata.name}
              loadingRows={2}
              empty={
                <Empty icon={ShieldOff} title={t('bans.nobody')}>
                  {t('bans.nobodyHelp')}
                </Empty>
              }
            />
          )}
        </div>
      </Panel>
      {kernel && kernel.state !== 'in force' && (
        <Notice>
          {t('bans.notInKernel')} {kernel.reason && <span className="muted">{kernel.reason}</span>}
        </Notice>
      )}
      {(query.data || query.isPending) && (
        <Panel title={t('bans.floods')} text={t('bans.floodsText')}>
          {query.data ? (
            <div className="weathers">
              {query.data.status.floods.map((flood) => (
                <Weather key={flood.class} flood={flood} samples={samples} />
              ))}
            </div>
          ) : (
            <Skeleton lines={10} />
          )}
        </Panel>
      )}
      <Confirm
        open={ending !== null}
        onClose={() => setEnding(null)}
        title={t('bans.unbanTitle', { address: ending?.spec.address ?? '' })}
        text={t('bans.unbanText')}
        action={t('bans.unban')}
        onConfirm={async () => {
          if (!ending) return;
          await request(`${BANS}/${encodeURIComponent(ending.metadata.name)}`, { method: 'DELETE' });
          toast(t('bans.unbanned', { address: ending.spec.address }));
          await client.invalidateQueries({ queryKey: ['bans'] });
        }}
      />
    </>
  );
}
