// SPDX-License-Identifier: Apache-2.0
// Does it hold? Every control with its live verdict, and what the platform did in the last hour.
import { useQuery } from '@tanstack/react-query';
import { Play, Radar } from 'lucide-react';
import { useEffect, useMemo, useRef, useState } from 'react';
import { collectAudit, MODEL_CALL } from '../../api/audit';
import { useList } from '../../api/hooks';
import { controls, modelServices, probeControl } from '../../api/kube';
import type { Control } from '../../api/types';
import { ofCallers, totals } from '../../api/usage';
import { useI18n } from '../../i18n';
import { agoIso, HOUR_MS } from '../../lib/duration';
import { useNamespace } from '../../lib/namespace';
import { Button, IconButton } from '../../ui/Button';
import { Empty, ErrorView, Skeleton } from '../../ui/Notice';
import { PageHeader, Stat } from '../../ui/Page';
import { isReady, VerdictIcon, VERDICTS } from '../../ui/Status';
import { Ago } from '../../ui/Time';
import { toast, toastError } from '../../ui/Toast';
import { type Chapter, chaptersOf, isProvable, verdictOf, whyOf } from './chapters';
import { EvidenceDrawer } from './EvidenceDrawer';
import './overview.css';
import { Ring } from './Ring';

const MAX_CALLS = 5000;
const IDLE_MS = 10_000;
const HURRY_MS = 500; // while a proof runs
const PATIENCE_MS = 60_000;

function KeyFacts() {
  const { t, f } = useI18n();
  const namespace = useNamespace();
  const services = useList(modelServices, namespace, 15_000);
  const calls = useQuery({
    queryKey: ['calls', 'hour', namespace],
    queryFn: ({ signal }) => collectAudit({ event: MODEL_CALL, namespace, since: agoIso(HOUR_MS) }, MAX_CALLS, signal),
    refetchInterval: 15_000,
  });
  const { calls: made, withoutKey } = useMemo(() => ofCallers(calls.data?.events ?? []), [calls.data]);
  const sums = calls.data && totals(made);
  const atLeast = calls.data?.more ? '≥ ' : '';
  const ready = services.data?.filter((service) => isReady(service.status?.conditions)).length ?? 0;
  const blank = '–';
  return (
    <dl className="stats">
      <Stat label={t('overview.services')} value={services.data ? `${f.number(ready)}/${f.number(services.data.length)}` : blank} note={t('overview.servicesNote')} />
      <Stat label={t('overview.calls')} value={sums ? atLeast + f.number(sums.calls) : blank} note={sums && sums.calls > 0 ? t('overview.median', { time: f.ms(sums.medianMs) }) : ''} />
      <Stat
        label={t('overview.tokens')}
        value={sums ? atLeast + f.compact(sums.inputTokens + sums.outputTokens) : blank}
        note={sums ? t('overview.inOut', { input: f.compact(sums.inputTokens), output: f.compact(sums.outputTokens) }) : ''}
      />
      <Stat label={t('overview.denied')} value={sums ? atLeast + f.number(sums.denied) : blank} tone={sums && sums.denied > 0 ? 'bad' : undefined} note={withoutKey > 0 ? t('overview.noKey', { n: withoutKey }) : sums && sums.calls > 0 ? t('overview.share', { share: f.percent(sums.denied / sums.calls) }) : ''} />
    </dl>
  );
}

export function useControlTitle() {
  const { language } = useI18n();
  return (control: Control) => (language === 'zh-CN' && control.spec.titleZh) || control.spec.title;
}

function ControlRow({ control, running, onOpen, onRun }: { control: Control; running: boolean; onOpen: () => void; onRun: () => void }) {
  const { t } = useI18n();
  const title = useControlTitle()(control);
  const { status } = control;
  const verdict = verdictOf(control);
  return (
    <li className="control">
      <button type="button" className="control-open" onClick={onOpen}>
        <VerdictIcon verdict={verdict} />
        <span className="control-id mono">{control.spec.id}</span>
        <span className="control-title">{title}</span>
        <span className="sr-only">{t(`verdict.${verdict}`)}</span>
        {!['proven', 'absent'].includes(verdict) && (
          <span className={`control-verdict control-${verdict}`} aria-hidden="true">
            {t(`verdict.${verdict}`)}
          </span>
        )}
        <span className="control-when muted num">{status?.checkedAt ? <Ago at={status.checkedAt} /> : t('verdict.absent')}</span>
      </button>
      {isProvable(control) ? <IconButton label={t('overview.runOne', { id: control.spec.id })} icon={Play} busy={running} onClick={onRun} /> : <span className="control-no-run" />}
    </li>
  );
}

function ChapterPanel({ chapter, running, onOpen, onRun }: { chapter: Chapter; running: Set<string>; onOpen: (control: Control) => void; onRun: (control: Control) => void }) {
  const { t, f } = useI18n();
  const proven = chapter.controls.filter((control) => verdictOf(control) === 'proven').length;
  return (
    <section className="panel chapter">
      <header className="chapter-head">
        <h2>{chapter.title ? t(chapter.title) : chapter.text}</h2>
        <span className="muted num small">{t('overview.chapterCount', { proven: f.number(proven), total: f.number(chapter.controls.length) })}</span>
      </header>
      <ul>
        {chapter.controls.map((control) => (
          <ControlRow key={control.metadata.name} control={control} running={running.has(control.metadata.name)} onOpen={() => onOpen(control)} onRun={() => onRun(control)} />
        ))}
      </ul>
    </section>
  );
}

/** Proofs that this page has started. Their results are the objects' own, which `hurry` asks to be read more often. */
function useProbes(data: Control[] | undefined, hurry: (on: boolean) => void) {
  const { t } = useI18n();
  const [before, setBefore] = useState<Map<string, string>>(new Map()); // by name, the version that waits for its successor
  const all = useRef(false);
  const versions = useMemo(() => new Map((data ?? []).map(({ metadata }) => [metadata.name, metadata.resourceVersion ?? ''])), [data]);
  useEffect(() => {
    if (before.size === 0) return;
    const left = new Map([...before].filter(([name, version]) => versions.get(name) === version));
    if (left.size === before.size) return;
    setBefore(left);
    if (left.size > 0) return;
    hurry(false);
    if (all.current) toast(t('overview.probedAll'));
  }, [before, versions, hurry, t]);
  useEffect(() => {
    if (before.size === 0) return;
    const timer = setTimeout(() => {
      setBefore(new Map());
      hurry(false);
      toastError(t('overview.probeFailed', { id: [...before.keys()].join(', ').toUpperCase() }), new Error(t('overview.probeSilent')));
    }, PATIENCE_MS);
    return () => clearTimeout(timer);
  }, [before, hurry, t]);
  const run = async (name: string) => {
    try {
      const started = await probeControl(name);
      all.current = name === 'all';
      setBefore((old) => new Map([...old, ...started.map((each) => [each, versions.get(each) ?? ''] as const)]));
      hurry(true);
    } catch (error) {
      toastError(t('overview.probeFailed', { id: name.toUpperCase() }), error);
    }
  };
  return { running: new Set(before.keys()), run };
}

export default function Overview() {
  const { t, f } = useI18n();
  const [hurry, setHurry] = useState(false);
  const query = useList(controls, '', hurry ? HURRY_MS : IDLE_MS);
  const { running, run } = useProbes(query.data, setHurry);
  const [openName, setOpenName] = useState<string | null>(null);
  const chapters = useMemo(() => chaptersOf(query.data ?? []), [query.data]);
  const open = query.data?.find((control) => control.metadata.name === openName) ?? null;
  const wrong = (['failed', 'degraded'] as const).flatMap((verdict) => (query.data ?? []).filter((control) => verdictOf(control) === verdict));

  return (
    <>
      <PageHeader
        title={t('overview.title')}
        text={t('overview.text')}
        actions={
          <Button variant="primary" icon={Radar} busy={running.size > 0} disabled={!query.data?.length} onClick={() => void run('all')}>
            {t('overview.runAll')}
          </Button>
        }
      />
      {query.error && !query.data ? (
        <div className="panel">
          <ErrorView error={query.error} onRetry={() => void query.refetch()} />
        </div>
      ) : (
        <>
          {query.data?.length === 0 && (
            <div className="panel posture-empty">
              <Empty icon={Radar} title={t('overview.empty')}>
                {t('overview.emptyHelp')}
              </Empty>
            </div>
          )}
          {query.data?.length !== 0 && (
            <section className="panel posture" aria-label={t('overview.posture')}>
              <Ring chapters={chapters} running={running} onOpen={(control) => setOpenName(control.metadata.name)} />
              <div className="posture-side">
                <ul className="tally">
                  {VERDICTS.map((verdict) => (
                    <li key={verdict}>
                      <VerdictIcon verdict={verdict} />
                      <span className="tally-number num">{query.data ? f.number(query.data.filter((c) => verdictOf(c) === verdict).length) : '–'}</span>
                      <span className="second">{t(`verdict.${verdict}`)}</span>
                    </li>
                  ))}
                </ul>
                <div className="attention">
                  <h2 className="attention-title">{t('overview.attention')}</h2>
                  {query.isPending && <Skeleton lines={3} />}
                  {query.data && wrong.length === 0 && <p className="second">{t('overview.allWell')}</p>}
                  <ul>
                    {wrong.slice(0, 4).map((control) => (
                      <AttentionRow key={control.metadata.name} control={control} onOpen={() => setOpenName(control.metadata.name)} />
                    ))}
                  </ul>
                </div>
              </div>
            </section>
          )}
          <section className="panel" aria-label={t('overview.lastHour')}>
            <KeyFacts />
          </section>
          <div className="chapters">
            {query.isPending &&
              [4, 3, 4, 5].map((lines, i) => (
                <div key={i} className="panel chapter">
                  <Skeleton lines={lines} />
                </div>
              ))}
            {chapters.map((chapter) => (
              <ChapterPanel key={chapter.id} chapter={chapter} running={running} onOpen={(control) => setOpenName(control.metadata.name)} onRun={(control) => void run(control.metadata.name)} />
            ))}
          </div>
        </>
      )}
      <EvidenceDrawer control={open} running={open !== null && running.has(open.metadata.name)} onRun={() => open && void run(open.metadata.name)} onClose={() => setOpenName(null)} />
    </>
  );
}

function AttentionRow({ control, onOpen }: { control: Control; onOpen: () => void }) {
  const title = useControlTitle()(control);
  return (
    <li>
      <button type="button" className="attention-row" onClick={onOpen}>
        <VerdictIcon verdict={verdictOf(control)} />
        <span className="mono muted small">{control.spec.id}</span>
        <span className="clip grow">
          {title}
          <span className="muted small attention-why">{whyOf(control)}</span>
        </span>
      </button>
    </li>
  );
}
