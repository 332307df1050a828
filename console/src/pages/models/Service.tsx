// SPDX-License-Identifier: Apache-2.0
// One model service: is it ready and why, what it is doing, and how to call it.
import { useQuery } from '@tanstack/react-query';
import { CircleCheck, CircleDashed, CircleX } from 'lucide-react';
import { useState } from 'react';
import { useParams } from 'wouter';
import { collectAudit, MODEL_CALL } from '../../api/audit';
import { get, modelServices } from '../../api/kube';
import type { Condition } from '../../api/types';
import { bucketise, callFacts, ofCallers, totals } from '../../api/usage';
import { useI18n } from '../../i18n';
import { agoIso, HOUR_MS, MINUTE_MS } from '../../lib/duration';
import { LinkButton } from '../../ui/Button';
import { BarChart } from '../../ui/Chart';
import { CodeTabs, CopyIcon } from '../../ui/Code';
import { ErrorNotice, ErrorView, Notice, Skeleton } from '../../ui/Notice';
import { Facts, PageHeader, Panel } from '../../ui/Page';
import { ReadyBadge } from '../../ui/Status';
import { Ago } from '../../ui/Time';
import './service.css';
import { modelOf, replicasOf } from './Services';
import { snippets } from './snippets';

const MAX_CALLS = 10_000;
const RANGES = { '1h': { ms: HOUR_MS, bucketMs: MINUTE_MS }, '6h': { ms: 6 * HOUR_MS, bucketMs: 5 * MINUTE_MS }, '24h': { ms: 24 * HOUR_MS, bucketMs: 30 * MINUTE_MS } } as const;
type Range = keyof typeof RANGES;

function ConditionRow({ condition }: { condition: Condition }) {
  const { t } = useI18n();
  const Icon = condition.status === 'True' ? CircleCheck : condition.status === 'False' ? CircleX : CircleDashed;
  const tone = condition.status === 'True' ? 'good' : condition.status === 'False' ? 'bad' : 'none';
  return (
    <li className="condition">
      <Icon className={`icon mark-${tone}`} aria-hidden="true" />
      <div className="grow">
        <p>
          <span className="strong">{condition.type}</span> <span className="sr-only">{condition.status}</span>
          {condition.reason && <span className="muted small"> {condition.reason}</span>}
        </p>
        {condition.message && <p className="second small break">{condition.message}</p>}
      </div>
      <span className="muted small">
        {condition.lastTransitionTime ? <Ago at={condition.lastTransitionTime} /> : t('state.unknown')}
      </span>
    </li>
  );
}

function Traffic({ namespace, name }: { namespace: string; name: string }) {
  const { t, f } = useI18n();
  const [range, setRange] = useState<Range>('1h');
  const { ms, bucketMs } = RANGES[range];
  const query = useQuery({
    queryKey: ['calls', namespace, name, range],
    queryFn: async ({ signal }) => {
      const { events, more } = await collectAudit({ event: MODEL_CALL, namespace, since: agoIso(ms) }, MAX_CALLS, signal);
      return { more, now: Date.now(), events: ofCallers(events).calls.filter((event) => callFacts(event).model === `${namespace}/${name}`) };
    },
    refetchInterval: 5_000,
    placeholderData: (previous) => previous,
  });
  const buckets = bucketise(query.data?.events ?? [], bucketMs, ms / bucketMs, query.data?.now ?? Date.now());
  const starts = buckets.map((b) => b.start);
  const sums = totals(query.data?.events ?? []);
  return (
    <Panel
      title={t('service.traffic')}
      text={query.data ? sums.calls === 0 ? t('service.noCalls') : t('service.trafficText', { median: f.ms(sums.medianMs), share: f.percent(sums.denied / sums.calls) }) : ' '}
      actions={
        <div className="segments" role="group" aria-label={t('service.range')}>
          {(Object.keys(RANGES) as Range[]).map((each) => (
            <button key={each} type="button" aria-pressed={each === range} onClick={() => setRange(each)}>
              {t(`service.range${each}`)}
            </button>
          ))}
        </div>
      }
    >
      {query.error && !query.data ? (
        <ErrorNotice error={query.error} />
      ) : (
        <div className="grid-2">
          <BarChart
            title={t('service.requests')}
            starts={starts}
            series={[
              { name: t('service.allowed'), tone: 'one', values: buckets.map((b) => b.calls - b.denied) },
              { name: t('service.denied'), tone: 'bad', values: buckets.map((b) => b.denied) },
            ]}
          />
          <BarChart
            title={t('service.tokens')}
            starts={starts}
            series={[
              { name: t('service.output'), tone: 'one', values: buckets.map((b) => b.outputTokens) },
              { name: t('service.input'), tone: 'two', values: buckets.map((b) => b.inputTokens) },
            ]}
          />
        </div>
      )}
      {query.data?.more && <Notice>{t('service.truncated', { n: MAX_CALLS })}</Notice>}
    </Panel>
  );
}

export default function Service() {
  const { t, f } = useI18n();
  const { namespace = '', name = '' } = useParams<{ namespace: string; name: string }>();
  const query = useQuery({
    queryKey: ['modelservice', namespace, name],
    queryFn: ({ signal }) => get(modelServices, name, namespace, signal),
    refetchInterval: 5_000,
  });
  const service = query.data;
  const model = `${namespace}/${name}`;
  const limit = (n: number | undefined) => (n === undefined ? t('common.none') : f.number(n));
  return (
    <>
      <PageHeader
        title={name}
        back={{ href: '/models', label: t('nav.models') }}
        text={
          <span className="row">
            <code>{model}</code>
            <CopyIcon text={model} label={t('service.copyName')} />
            {service && <ReadyBadge status={service.status} />}
          </span>
        }
        actions={<LinkButton href={`/playground?model=${encodeURIComponent(model)}`}>{t('service.try')}</LinkButton>}
      />
      {query.error && !service && (
        <Panel>
          <ErrorView error={query.error} onRetry={() => void query.refetch()} />
        </Panel>
      )}
      {(service || query.isPending) && <Traffic namespace={namespace} name={name} />}
      {query.isPending && (
        <div className="grid-2">
          <Panel title={t('service.conditions')}>
            <Skeleton lines={8} />
          </Panel>
          <Panel title={t('service.configuration')}>
            <Skeleton lines={8} />
          </Panel>
        </div>
      )}
      {service && (
        <>
          <div className="grid-2">
            <Panel title={t('service.conditions')} flush>
              <ul>
                {(service.status?.conditions ?? []).map((condition) => (
                  <ConditionRow key={condition.type} condition={condition} />
                ))}
              </ul>
            </Panel>
            <Panel title={t('service.configuration')}>
              <Facts
                items={[
                  { label: t('models.model'), value: <code>{modelOf(service) || '–'}</code> },
                  { label: t('models.engine'), value: service.spec.engine?.kind ?? t('models.upstream') },
                  service.spec.upstream
                    ? { label: t('models.address'), value: <code className="break">{service.spec.upstream.url}</code> }
                    : { label: t('models.sandbox'), value: service.spec.runtimeClassName ? <code>{service.spec.runtimeClassName}</code> : t('models.defaultSandbox') },
                  { label: t('models.replicas'), value: replicasOf(service, f) },
                  { label: t('limits.requestsPerMinute'), value: limit(service.spec.limits?.requestsPerMinute) },
                  { label: t('limits.tokensPerMinute'), value: limit(service.spec.limits?.tokensPerMinute) },
                  { label: t('limits.contextTokens'), value: limit(service.spec.limits?.contextTokens) },
                  { label: t('limits.maxTokens'), value: limit(service.spec.limits?.maxTokens) },
                ]}
              />
            </Panel>
          </div>
          <Panel title={t('service.call')} text={t('service.callText')}>
            <CodeTabs tabs={snippets(window.location.origin, model)} />
          </Panel>
        </>
      )}
    </>
  );
}
