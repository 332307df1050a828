// SPDX-License-Identifier: Apache-2.0
import { CircleCheck, CircleX, Dot, Play } from 'lucide-react';
import { useRef } from 'react';
import type { Control } from '../../api/types';
import { useI18n } from '../../i18n';
import { Button } from '../../ui/Button';
import { CodeBlock } from '../../ui/Code';
import { Drawer } from '../../ui/Dialog';
import { Facts } from '../../ui/Page';
import { VerdictBadge } from '../../ui/Status';
import { Ago } from '../../ui/Time';
import { chaptersOf, evidenceLines, isProvable, verdictOf } from './chapters';
import { useControlTitle } from './Overview';

function EvidenceMark({ holds }: { holds?: boolean }) {
  const { t } = useI18n();
  if (holds === undefined) return <Dot className="icon mark-none" aria-hidden="true" />;
  const Icon = holds ? CircleCheck : CircleX;
  return (
    <>
      <Icon className={`icon mark-${holds ? 'good' : 'bad'}`} aria-hidden="true" />
      <span className="sr-only">{holds ? t('proof.ok') : t('proof.bad')}</span>
    </>
  );
}

export function EvidenceDrawer({ control, running, onRun, onClose }: { control: Control | null; running: boolean; onRun: () => void; onClose: () => void }) {
  const { t, f } = useI18n();
  const titleOf = useControlTitle();
  const last = useRef(control); // stays drawn while the drawer slides away
  if (control) last.current = control;
  const shown = control ?? last.current;
  if (!shown) return null;
  const status = shown.status;
  const [chapter] = chaptersOf([shown]);
  const lines = evidenceLines(status?.evidence);
  return (
    <Drawer
      open={control !== null}
      onClose={onClose}
      eyebrow={
        <>
          <span className="mono">{shown.spec.id}</span>
          <VerdictBadge verdict={verdictOf(shown)} />
        </>
      }
      title={titleOf(shown)}
      footer={
        isProvable(shown) && (
          <Button variant="primary" icon={Play} busy={running} onClick={onRun}>
            {t('overview.runNow')}
          </Button>
        )
      }
    >
      <p className="second">{t(`verdict.${verdictOf(shown)}Help`)}</p>
      <Facts
        items={[
          { label: t('overview.checked'), value: status?.checkedAt ? <Ago at={status.checkedAt} /> : t('overview.never') },
          { label: t('overview.took'), value: status?.durationMs === undefined ? '–' : f.ms(status.durationMs) },
          { label: t('overview.chapter'), value: chapter?.title ? t(chapter.title) : chapter?.text },
        ]}
      />
      <section className="stack-s">
        <h3>{t('overview.evidence')}</h3>
        {lines.length === 0 && <p className="muted">{t('overview.noEvidence')}</p>}
        <ol className="evidence">
          {lines.map((line, i) => (
            <li key={i}>
              <EvidenceMark holds={line.holds} />
              <span className="break">{line.text}</span>
            </li>
          ))}
        </ol>
      </section>
      <section className="stack-s">
        <h3>{t('common.object')}</h3>
        <CodeBlock label={t('common.object')} code={JSON.stringify({ metadata: { name: shown.metadata.name }, spec: shown.spec, status }, null, 2)} />
      </section>
    </Drawer>
  );
}
