// SPDX-License-Identifier: Apache-2.0
import { Boxes } from 'lucide-react';
import { Link, useLocation } from 'wouter';
import { useList } from '../../api/hooks';
import { modelServices } from '../../api/kube';
import type { ModelService } from '../../api/types';
import { useI18n } from '../../i18n';
import type { Format } from '../../i18n/format';
import { useNamespace } from '../../lib/namespace';
import { CodeBlock } from '../../ui/Code';
import { Empty, ErrorView } from '../../ui/Notice';
import { PageHeader, Panel, SubNav } from '../../ui/Page';
import { ReadyBadge } from '../../ui/Status';
import { type Column, Table } from '../../ui/Table';
import { Ago } from '../../ui/Time';

export function ModelsNav() {
  const { t } = useI18n();
  return (
    <SubNav
      label={t('nav.models')}
      links={[
        { href: '/models', label: t('models.services') },
        { href: '/models/catalog', label: t('models.models') },
      ]}
    />
  );
}

export function addressOf(service: ModelService): string {
  return `/models/${service.metadata.namespace ?? ''}/${service.metadata.name}`;
}

/** The model as its engine knows it. */
export function modelOf({ spec }: ModelService): string {
  return spec.modelRef?.name ?? spec.upstream?.model ?? '';
}

/** Those that run, of those that are wanted; a service elsewhere has none here. */
export function replicasOf({ spec, status }: ModelService, f: Format): string {
  return spec.upstream ? '–' : `${f.number(status?.readyReplicas ?? 0)}/${f.number(spec.replicas ?? 1)}`;
}

const words = (s: ModelService) => [s.metadata.name, s.metadata.namespace, modelOf(s)];

export default function Services() {
  const { t, f } = useI18n();
  const namespace = useNamespace();
  const [, navigate] = useLocation();
  const query = useList(modelServices, namespace, 10_000);
  const columns: Column<ModelService>[] = [
    {
      id: 'name',
      header: t('common.name'),
      sort: (s) => s.metadata.name,
      cell: (s) => (
        <Link href={addressOf(s)} className="primary-cell">
          {s.metadata.name}
        </Link>
      ),
    },
    { id: 'namespace', header: t('common.namespace'), sort: (s) => s.metadata.namespace ?? '', cell: (s) => s.metadata.namespace, rank: 2 },
    { id: 'state', header: t('common.state'), cell: (s) => <ReadyBadge status={s.status} /> },
    { id: 'model', header: t('models.model'), sort: modelOf, cell: (s) => <span className="mono">{modelOf(s) || '–'}</span>, rank: 2 },
    { id: 'engine', header: t('models.engine'), cell: (s) => s.spec.engine?.kind ?? t('models.upstream'), rank: 3 },
    { id: 'runtime', header: t('models.sandbox'), cell: (s) => <span className="mono">{s.spec.runtimeClassName ?? '–'}</span>, rank: 3 },
    { id: 'replicas', header: t('models.replicas'), cell: (s) => replicasOf(s, f), align: 'right', rank: 2 },
    { id: 'age', header: t('common.created'), sort: (s) => Date.parse(s.metadata.creationTimestamp ?? ''), cell: (s) => <Ago at={s.metadata.creationTimestamp} />, align: 'right', rank: 3 },
  ];
  return (
    <>
      <PageHeader title={t('nav.models')} text={t('models.text')} />
      <ModelsNav />
      <Panel flush>
        {query.error && !query.data ? (
          <ErrorView error={query.error} onRetry={() => void query.refetch()} />
        ) : (
          <Table
            caption={t('models.services')}
            columns={columns}
            rows={query.data}
            rowKey={addressOf}
            words={words}
            onRow={(s) => navigate(addressOf(s))}
            empty={
              <Empty icon={Boxes} title={t('models.empty')}>
                <p>{t('models.emptyHelp')}</p>
                <CodeBlock label={t('models.empty')} code="drun apply -f modelservice.yaml" />
              </Empty>
            }
          />
        )}
      </Panel>
    </>
  );
}
