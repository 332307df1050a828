// SPDX-License-Identifier: Apache-2.0
import { useQuery } from '@tanstack/react-query';
import { useRef } from 'react';
import { getAuditEntry, type ProofReport, verifyEntry } from '../../api/audit';
import { useI18n } from '../../i18n';
import { CodeBlock } from '../../ui/Code';
import { Drawer } from '../../ui/Dialog';
import { ErrorNotice, ErrorView, Skeleton } from '../../ui/Notice';
import { Proof } from './Proof';

export function EntryDrawer({ index, onClose }: { index: number | null; onClose: () => void }) {
  const { t } = useI18n();
  const last = useRef(index); // stays drawn while the drawer slides away
  if (index !== null) last.current = index;
  const shown = index ?? last.current;
  const query = useQuery({
    queryKey: ['audit-entry', shown],
    queryFn: async ({ signal }) => {
      const entry = await getAuditEntry(shown ?? 0, signal);
      // A proof that cannot even be read must not hide the record.
      const report: ProofReport | Error = await verifyEntry(entry, shown ?? 0).catch((error: unknown) => (error instanceof Error ? error : new Error(String(error))));
      return { entry, report };
    },
    enabled: shown !== null,
    staleTime: Infinity, // an entry never changes
  });
  return (
    <Drawer open={index !== null} onClose={onClose} eyebrow={shown === null ? '' : t('audit.entry', { index: String(shown) })} title={query.data?.entry.event['event.name'] ?? t('audit.event')}>
      {query.error && <ErrorView error={query.error} onRetry={() => void query.refetch()} />}
      {query.isPending && <Skeleton lines={9} />}
      {query.data && shown !== null && (
        <>
          {query.data.report instanceof Error ? <ErrorNotice error={query.data.report} /> : <Proof report={query.data.report} size={query.data.entry.proof.treeSize} index={shown} />}
          <section className="stack-s">
            <h3>{t('audit.record')}</h3>
            <CodeBlock label={t('audit.record')} code={JSON.stringify(query.data.entry.event, null, 2)} />
          </section>
        </>
      )}
    </Drawer>
  );
}
