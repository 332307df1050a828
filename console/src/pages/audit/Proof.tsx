// SPDX-License-Identifier: Apache-2.0
// The inclusion proof, checked in this browser, and every step of the check.
import { CircleCheck, CircleX, ShieldCheck, ShieldX } from 'lucide-react';
import type { ReactNode } from 'react';
import type { ProofReport } from '../../api/audit';
import { useI18n } from '../../i18n';
import { hex } from '../../lib/bytes';

function Hash({ bytes }: { bytes: Uint8Array }) {
  const text = hex(bytes);
  return (
    <code className="hash" title={text}>
      {text.slice(0, 16)}…{text.slice(-8)}
    </code>
  );
}

function Step({ ok, title, children }: { ok: boolean; title: string; children: ReactNode }) {
  const Icon = ok ? CircleCheck : CircleX;
  const { t } = useI18n();
  return (
    <li className="proof-step">
      <Icon className={`icon ${ok ? 'mark-good' : 'mark-bad'}`} aria-hidden="true" />
      <div className="grow">
        <p className="strong">
          {title} <span className="sr-only">{ok ? t('proof.ok') : t('proof.bad')}</span>
        </p>
        {children}
      </div>
    </li>
  );
}

function Walk({ report }: { report: ProofReport }) {
  const { t } = useI18n();
  return (
    <ol className="walk">
      {report.walk.steps.map((step, i) => (
        <li key={i}>
          <span className="walk-side">{t(`proof.${step.side}`)}</span>
          <Hash bytes={step.sibling} />
          <span className="muted" aria-hidden="true">
            →
          </span>
          <Hash bytes={step.result} />
        </li>
      ))}
    </ol>
  );
}

export function Proof({ report, size, index }: { report: ProofReport; size: number; index: number }) {
  const { t, tn, f } = useI18n();
  const { walk, checkpoint } = report;
  const Icon = report.ok ? ShieldCheck : ShieldX;
  return (
    <section className={`proof ${report.ok ? 'proof-ok' : 'proof-bad'}`} aria-label={t('proof.title')}>
      <div className="proof-head" role="status">
        <Icon className="icon" aria-hidden="true" />
        <div>
          <h3>{report.ok ? t('proof.verified') : t('proof.failed')}</h3>
          <p className="small second">{report.ok ? t('proof.verifiedText', { size }) : t('proof.failedText')}</p>
        </div>
      </div>
      <ol>
        <Step ok={walk.ok} title={t('proof.leaf')}>
          <p className="small second">{t('proof.commitmentText')}</p>
          <Hash bytes={report.commitment} />
          <p className="small second">{t('proof.leafText')}</p>
          <Hash bytes={walk.leaf} />
        </Step>
        <Step ok={walk.ok} title={tn('proof.path', walk.steps.length)}>
          <p className="small second">{walk.ok ? t('proof.pathText', { index: f.number(index) }) : t(`proof.reason-${walk.reason}`)}</p>
          <Walk report={report} />
        </Step>
        <Step ok={report.checkpointMatches} title={t('proof.checkpoint')}>
          {checkpoint ? (
            <p className="small second break">{t('proof.checkpointText', { origin: checkpoint.origin, size: checkpoint.size })}</p>
          ) : (
            <p className="small second">{t('proof.checkpointBroken')}</p>
          )}
          <pre className="checkpoint">{report.note}</pre>
          <p className="small muted">{t('proof.signatureNote')}</p>
        </Step>
      </ol>
    </section>
  );
}
