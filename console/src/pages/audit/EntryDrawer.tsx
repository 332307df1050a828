// SPDX-License-Identifier: Apache-2.0
import { useQuery } from '@tanstack/react-query';
import { useRef } from 'react';
import { getAuditEntry } from '../../api/audit';
import { useI18n } from '../../i18n';
import { CodeBlock } from '../../ui/Code';
import { Drawer } from '../../ui/Dialog';
import { ErrorView, Skeleton } from '../../ui/Notice';
import { Proof } from './Proof';

export function EntryDrawer({ index, onClose }: { index: number | null; onClose: () => void }) {
  const { t } = useI18n();
  const last = useRef(index); // stays drawn while the drawer slides away
  if (index !== null) last.current = index;
  const shown = index ?? last.current;
  const query = useQuery({
    queryKey: ['audit-entry', shown],
    queryFn: ({ signal }) => getAuditEntry(shown ?? 0, signal),
    enabled: shown !== null,
    staleTime: Infinity, // an entry never changes
  });
  return (
    <Drawer open={index !== null} onClose={onClose} eyebrow={shown === null ? '' : t('audit.entry', { index: String(shown) })} title={query.data?.event['event.name'] ?? t('audit.event')}>
      {query.error && <ErrorView error={query.error} onRetry={() => void query.refetch()} />}
      {query.isPending && <Skeleton lines={9} />}
      {query.data && shown !== null && (
        <>
          <Proof entry={query.data} index={shown} />
          <section className="stack-s">
            <h3>{t('audit.record')}</h3>
            <CodeBlock label={t('audit.record')} code={JSON.stringify(query.data.event, null, 2)} />
          </section>
        </>
      )}
    </Drawer>
  );
}
