// SPDX-License-Identifier: Apache-2.0
// What a rule found, in its place; and the rule itself.
import { useQuery } from '@tanstack/react-query';
import { useI18n } from '../../i18n';
import { CodeBlock } from '../../ui/Code';
import { ErrorNotice, Skeleton } from '../../ui/Notice';
import { Badge } from '../../ui/Status';
import { readRule } from './kinds';
import { laidOut } from './laidOut';

export function Found({ variable, before, match, after }: { variable: string; before: string; match: string; after: string }) {
  const { t } = useI18n();
  return (
    <div className="found">
      <span className="found-in mono">{variable || t('waf.request')}</span>
      <p className="mono break">
        {before}
        {match && <mark>{match}</mark>}
        {after}
      </p>
    </div>
  );
}

export function Score({ score, threshold }: { score: number; threshold: number }) {
  const { t } = useI18n();
  if (threshold === 0) return <span className="muted">–</span>;
  return (
    <span className={`num nowrap${score >= threshold ? ' strong' : ' muted'}`} title={t('waf.scoreOf', { score, threshold })}>
      {score}
      <span className="muted"> / {threshold}</span>
    </span>
  );
}

export function VerdictBadge({ verdict }: { verdict: 'refused' | 'detected' | 'passed' }) {
  const { t } = useI18n();
  return <Badge tone={verdict === 'refused' ? 'bad' : verdict === 'detected' ? 'warn' : 'good'}>{t(`waf.verdict-${verdict}`)}</Badge>;
}

export function RuleText({ id, file, line, text }: { id: number; file: string; line: number; text: string }) {
  const { t } = useI18n();
  return (
    <div className="stack-s rule-text">
      <p className="muted small mono break">
        {file}:{line}
      </p>
      <CodeBlock label={t('waf.ruleText', { id: String(id) })} code={laidOut(text)} />
    </div>
  );
}

export function RuleBlock({ id }: { id: number }) {
  const query = useQuery({ queryKey: ['waf-rule', id], queryFn: ({ signal }) => readRule(id, signal), staleTime: 60_000, retry: false });
  if (query.error) return <ErrorNotice error={query.error} />;
  if (!query.data) return <Skeleton lines={4} />;
  return <RuleText id={id} {...query.data} />;
}
