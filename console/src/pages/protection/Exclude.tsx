// SPDX-License-Identifier: Apache-2.0
// An exclusion for what was no attack: as narrow as it can be, tried on the recorded hits before it is written.
import { type FormEvent, useState } from 'react';
import { useList, useRefresh } from '../../api/hooks';
import { amend, create } from '../../api/kube';
import { useI18n } from '../../i18n';
import { DAY_MS } from '../../lib/duration';
import { isName } from '../../lib/validate';
import { Button } from '../../ui/Button';
import { Dialog } from '../../ui/Dialog';
import { CheckField, SelectField, TextField } from '../../ui/Field';
import { ErrorNotice, Notice, Skeleton } from '../../ui/Notice';
import { useTask } from '../../ui/task';
import { toast } from '../../ui/Toast';
import { VerdictBadge } from './Found';
import { change, fewest, type Hit, isTargetName, type Part } from './hits';
import { type Exclusion, type Match, wafPolicies, type WafPolicy } from './kinds';
import { useHits } from './useHits';

type Seed = Pick<Hit, 'path' | 'service' | 'namespace' | 'score' | 'threshold' | 'parts'>;
type Reach = 'path' | 'service' | 'namespace' | 'all';

const PAST_DAYS = 7;
const SHOWN = 5;

function matchOf(reach: Reach, seed: Seed): Match | undefined {
  if (reach === 'path') return { paths: [seed.path], ...(seed.service && { modelServices: [seed.service] }) };
  if (reach === 'service') return { modelServices: [seed.service] };
  if (reach === 'namespace') return { namespaces: [seed.namespace] };
  return undefined;
}

const same = (a: Match | undefined, b: Match | undefined) => (['paths', 'namespaces', 'modelServices'] as const).every((key) => JSON.stringify([...(a?.[key] ?? [])].sort()) === JSON.stringify([...(b?.[key] ?? [])].sort()));
/** One that says nothing but exclusions, so that a change of it changes nothing else. */
const isForExclusions = (policy: WafPolicy) => !policy.spec.mode && policy.spec.paranoiaLevel === undefined && policy.spec.inboundThreshold === undefined;

function nameFor(match: Match | undefined, taken: Set<string>): string {
  const text = [...(match?.modelServices ?? []), ...(match?.namespaces ?? []), ...(match?.paths ?? [])].join('-') || 'all';
  const base = `allow-${text.toLowerCase().replace(/[^a-z0-9]+/g, '-').replace(/^-+|-+$/g, '')}`.slice(0, 50).replace(/-+$/, '');
  let name = base;
  for (let i = 2; taken.has(name); i += 1) name = `${base}-${i}`;
  return name;
}

function Preview({ match, exclusion }: { match: Match | undefined; exclusion: Exclusion }) {
  const { t, tn } = useI18n();
  const query = useHits(PAST_DAYS * DAY_MS, '');
  if (query.error) return <ErrorNotice error={query.error} />;
  if (!query.data) return <Skeleton lines={3} />;
  const judged = query.data.hits.map((hit) => ({ hit, becomes: change(hit, match, exclusion) }));
  const of = (becomes: string) => judged.filter((each) => each.becomes === becomes);
  const passes = of('passes');
  return (
    <div className="stack-s" role="status">
      <p className="strong">{tn('waf.previewPasses', passes.length)}</p>
      <p className="small second">{t('waf.previewRest', { refused: of('refused').length, untouched: of('untouched').length, unknown: of('unknown').length })}</p>
      {passes.length > 0 && (
        <ul className="past">
          {passes.slice(0, SHOWN).map(({ hit }) => (
            <li key={hit.event.index}>
              <VerdictBadge verdict="passed" />
              <span className="mono small break grow">
                {hit.before}
                <mark>{hit.match}</mark>
                {hit.after}
              </span>
              <span className="muted small mono">{hit.event.source}</span>
            </li>
          ))}
          {passes.length > SHOWN && <li className="muted small">{t('waf.previewMore', { n: passes.length - SHOWN })}</li>}
        </ul>
      )}
      {query.data.more && <p className="muted small">{t('waf.previewCut', { n: query.data.hits.length })}</p>}
    </div>
  );
}

export function Exclude({ seed, onClose, onDone }: { seed: Seed; onClose: () => void; onDone?: () => void }) {
  const { t } = useI18n();
  const refresh = useRefresh();
  const policies = useList(wafPolicies);
  const parts = seed.parts.filter((part) => !part.variable.startsWith('TX:'));
  const key = (part: Part) => `${part.rule} ${part.variable}`;
  const [chosen, setChosen] = useState(() => new Set(fewest(parts, seed.score, seed.threshold).map(key)));
  const targetable = parts.every((part) => isTargetName(part.variable));
  const [narrow, setNarrow] = useState(targetable);
  const reaches = (['path', 'service', 'namespace', 'all'] as const).filter((each) => each === 'all' || seed[each]);
  const [reach, setReach] = useState<Reach>(reaches[0] ?? 'all');
  const [reason, setReason] = useState('');
  const [name, setName] = useState('');
  const { busy, error, run } = useTask();

  const labelOf = (value: Reach) => (value === 'all' ? t('waf.reach-all') : value === 'path' && seed.service ? `${seed.path} · ${seed.service}` : seed[value]);
  const match = matchOf(reach, seed);
  const picked = parts.filter((part) => chosen.has(key(part)));
  const exclusion: Exclusion = {
    ruleIds: [...new Set(picked.map((part) => String(part.rule)))],
    ...(narrow && { targets: [...new Set(picked.map((part) => part.variable))] }),
    ...(reason.trim() && { reason: reason.trim() }),
  };
  const there = policies.data?.find((policy) => isForExclusions(policy) && same(policy.spec.match, match));
  const target = there?.metadata.name ?? (name || nameFor(match, new Set(policies.data?.map((policy) => policy.metadata.name))));
  const enough = picked.length > 0 && picked.reduce((left, part) => left - part.points, seed.score) < seed.threshold;

  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (picked.length === 0 || !isName(target)) return;
    void run(async () => {
      if (there) await amend(wafPolicies, there, { exclusions: [...(there.spec.exclusions ?? []), exclusion] });
      else await create(wafPolicies, { metadata: { name: target }, spec: { match, exclusions: [exclusion] } });
      toast(t('waf.excluded', { name: target }), t('waf.excludedSoon'));
      await refresh(wafPolicies);
      onClose();
      onDone?.();
    });
  };
  return (
    <Dialog
      open
      wide
      onClose={onClose}
      title={t('waf.excludeTitle')}
      description={t('waf.excludeText')}
      footer={
        <>
          <Button onClick={onClose}>{t('common.cancel')}</Button>
          <Button variant="primary" type="submit" form="exclude" busy={busy} disabled={picked.length === 0 || !policies.data}>
            {t('waf.excludeWrite')}
          </Button>
        </>
      }
    >
      <form id="exclude" className="stack" noValidate onSubmit={submit}>
        {error !== null && <ErrorNotice error={error} />}
        {policies.error && <ErrorNotice error={policies.error} />}
        <fieldset className="fieldset">
          <legend>{t('waf.excludeRules')}</legend>
          {parts.map((part) => (
            <CheckField
              key={key(part)}
              mono
              label={`${part.rule} ${part.variable}${part.points > 0 ? ` +${part.points}` : ''}`}
              checked={chosen.has(key(part))}
              onChange={(checked) => {
                const next = new Set(chosen);
                if (checked) next.add(key(part));
                else next.delete(key(part));
                setChosen(next);
              }}
            />
          ))}
        </fieldset>
        <div className="form-grid">
          <SelectField label={t('waf.excludeWhere')} value={reach} onChange={(event) => setReach(event.target.value as Reach)} choices={reaches.map((value) => ({ value, label: labelOf(value) }))} />
          <SelectField
            label={t('waf.excludeWhat')}
            value={narrow ? 'narrow' : 'whole'}
            disabled={!targetable}
            hint={targetable ? undefined : t('waf.excludeNoTarget')}
            onChange={(event) => setNarrow(event.target.value === 'narrow')}
            choices={[
              { value: 'narrow', label: t('waf.what-narrow') },
              { value: 'whole', label: t('waf.what-whole') },
            ]}
          />
          {there ? (
            <TextField label={t('waf.policy')} mono readOnly value={target} hint={t('waf.policyThere')} />
          ) : (
            <TextField label={t('waf.policy')} mono maxLength={63} value={target} hint={t('waf.policyNew')} error={isName(target) ? undefined : t('form.name')} onChange={(event) => setName(event.target.value)} />
          )}
          <TextField label={t('waf.reason')} maxLength={1024} value={reason} placeholder={t('waf.reasonPlaceholder')} onChange={(event) => setReason(event.target.value)} />
        </div>
        {reach === 'all' && <Notice tone="warn">{t('waf.reachAllWarn')}</Notice>}
        {!enough && picked.length > 0 && <Notice tone="warn">{t('waf.notEnough')}</Notice>}
        <section className="stack-s">
          <h3>{t('waf.preview', { n: PAST_DAYS })}</h3>
          <Preview match={match} exclusion={exclusion} />
        </section>
      </form>
    </Dialog>
  );
}
