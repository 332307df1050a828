// SPDX-License-Identifier: Apache-2.0
// States by shape, colour and word; never by colour alone.
import { CircleCheck, CircleDashed, CircleX, type LucideIcon, TriangleAlert } from 'lucide-react';
import type { ReactNode } from 'react';
import type { Condition, Model, ModelService, VerdictName } from '../api/types';
import { useI18n } from '../i18n';
import './status.css';

type Phase = NonNullable<NonNullable<Model['status'] | ModelService['status']>['phase']>;
export type Tone = 'good' | 'warn' | 'bad' | 'none' | 'accent';

export function Badge({ tone = 'none', icon: Icon, children }: { tone?: Tone; icon?: LucideIcon; children: ReactNode }) {
  return (
    <span className={`badge badge-${tone}`}>
      {Icon ? <Icon className="icon" aria-hidden="true" /> : <span className="dot" aria-hidden="true" />}
      {children}
    </span>
  );
}

export const VERDICTS: VerdictName[] = ['proven', 'degraded', 'failed', 'absent'];
const VERDICT_TONE: Record<VerdictName, Tone> = { proven: 'good', degraded: 'warn', failed: 'bad', absent: 'none' };
const VERDICT_ICON: Record<VerdictName, LucideIcon> = { proven: CircleCheck, degraded: TriangleAlert, failed: CircleX, absent: CircleDashed };

export function VerdictIcon({ verdict }: { verdict: VerdictName }) {
  const Icon = VERDICT_ICON[verdict];
  return <Icon className={`icon mark-${VERDICT_TONE[verdict]}`} aria-hidden="true" />;
}

export function VerdictBadge({ verdict }: { verdict: VerdictName }) {
  const { t } = useI18n();
  return (
    <Badge tone={VERDICT_TONE[verdict]} icon={VERDICT_ICON[verdict]}>
      {t(`verdict.${verdict}`)}
    </Badge>
  );
}

export function isReady(conditions: Condition[] | undefined): boolean {
  return conditions?.find((c) => c.type === 'Ready')?.status === 'True';
}

const PHASE_TONE: Record<Phase, Tone> = { Ready: 'good', Degraded: 'warn', Failed: 'bad', Pending: 'warn', Importing: 'warn', Starting: 'warn', Stopped: 'none' };

/** Where a model or a service is on its way. */
export function ReadyBadge({ status }: { status?: { phase?: Phase } }) {
  const { t } = useI18n();
  const phase = status?.phase;
  return phase ? <Badge tone={PHASE_TONE[phase]}>{t(`phase.${phase}`)}</Badge> : <Badge>{t('state.unknown')}</Badge>;
}
