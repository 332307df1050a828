// SPDX-License-Identifier: Apache-2.0
import { Package } from 'lucide-react';
import { useList } from '../../api/hooks';
import { models } from '../../api/kube';
import type { Model } from '../../api/types';
import { useI18n } from '../../i18n';
import { useNamespace } from '../../lib/namespace';
import { CopyIcon } from '../../ui/Code';
import { Empty, ErrorView } from '../../ui/Notice';
import { PageHeader, Panel } from '../../ui/Page';
import { ReadyBadge } from '../../ui/Status';
import { type Column, Table } from '../../ui/Table';
import { ModelsNav } from './Services';

function Digest({ digest }: { digest?: string }) {
  const { t } = useI18n();
  if (!digest) return '–';
  return (
    <span className="row">
      <span className="mono small" title={digest}>
        {digest.replace(/^sha256:/, '').slice(0, 12)}…
      </span>
      <CopyIcon text={digest} label={t('models.copyDigest')} />
    </span>
  );
}

/** With the reason when it cannot be used. */
function Name({ model }: { model: Model }) {
  const why = model.status?.phase === 'Failed' ? model.status.conditions?.find((condition) => condition.status === 'False')?.message : undefined;
  return (
    <div className="name-cell">
      <div className="strong clip" title={model.metadata.name}>
        {model.metadata.name}
      </div>
      {why && <div className="second small reason">{why}</div>}
    </div>
  );
}

const words = (model: Model) => [model.metadata.name, model.metadata.namespace, model.spec.displayName, model.status?.digest];

export default function Catalog() {
  const { t, f } = useI18n();
  const namespace = useNamespace();
  const query = useList(models, namespace, 30_000);
  const columns: Column<Model>[] = [
    { id: 'name', header: t('common.name'), sort: (m) => m.metadata.name, cell: (m) => <Name model={m} /> },
    { id: 'namespace', header: t('common.namespace'), sort: (m) => m.metadata.namespace ?? '', cell: (m) => m.metadata.namespace, rank: 2 },
    { id: 'state', header: t('common.state'), cell: (m) => <ReadyBadge status={m.status} /> },
    {
      id: 'digest',
      header: t('models.digest'),
      cell: (m) => <Digest digest={m.status?.digest ?? m.spec.artifact?.digest} />,
      rank: 2,
    },
    { id: 'license', header: t('models.license'), cell: (m) => m.spec.license ?? '–', rank: 3 },
    { id: 'format', header: t('models.format'), cell: (m) => m.spec.artifact?.format ?? '–', rank: 3 },
    { id: 'size', header: t('models.size'), sort: (m) => m.status?.sizeBytes ?? 0, cell: (m) => (m.status?.sizeBytes === undefined ? '–' : f.bytes(m.status.sizeBytes)), align: 'right' },
  ];
  return (
    <>
      <PageHeader title={t('nav.models')} text={t('models.catalogText')} />
      <ModelsNav />
      <Panel flush>
        {query.error && !query.data ? (
          <ErrorView error={query.error} onRetry={() => void query.refetch()} />
        ) : (
          <Table
            caption={t('models.models')}
            columns={columns}
            rows={query.data}
            rowKey={(m) => `${m.metadata.namespace}/${m.metadata.name}`}
            words={words}
            empty={
              <Empty icon={Package} title={t('models.catalogEmpty')}>
                {t('models.catalogEmptyHelp')}
              </Empty>
            }
          />
        )}
      </Panel>
    </>
  );
}
